export default function Page() {
  return <p>Connect an editor to /collab; GET and POST /api/notes read and write a document.</p>
}

export default {
  // The server has a worker thread, a native database and files of its own, which no bundle may separate from it; and of
  // yjs there must be one copy, the one that the server has.
  serverExternalPackages: ['y-chorus', 'yjs']
}

// The text of a room, live, with nothing but EventSource: no Yjs, no library. The room's name is the fragment.
const room = decodeURIComponent(location.hash.slice(1))
const [text, state] = ['#text', '#state'].map(selector => document.querySelector(selector))
document.querySelector('#write').hash = location.hash
const source = new EventSource(`./api/documents/${encodeURIComponent(room)}/events?types=text:text`)

source.onopen = () => show('Live.')
source.onerror = () => show(source.readyState === EventSource.CLOSED ? 'No such room.' : 'Coming back…')
source.addEventListener('document', ({ data }) => write('', JSON.parse(data).text))
source.addEventListener('change', ({ data }) => {
  for (const { type, delta } of JSON.parse(data).changes) if (type === 'text') write(text.textContent, delta)
})
addEventListener('hashchange', () => location.reload())

function write(before, delta) {
  let [after, at] = ['', 0]
  for (const { retain = 0, delete: removed = 0, insert = '' } of delta) {
    after += before.slice(at, at + retain) + insert
    at += retain + removed
  }
  text.textContent = after + before.slice(at)
}

function show(words) {
  state.textContent = words
}

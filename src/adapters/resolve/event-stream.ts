import { createParser } from 'eventsource-parser'

/**
 * The data of each message of a server-sent event stream, in order.
 *
 * @param max - bytes that may come without a message ending
 * @throws RangeError - more came; TypeError - no UTF-8; and whatever the body throws
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export async function* messagesOf(body: AsyncIterable<Uint8Array>, max: number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let messages: string[] = []
  const parser = createParser({ onEvent: ({ data }) => messages.push(data) })
  let unended = 0
  for await (const chunk of body) {
    // a chunk may hold many messages; only what is left of the last one counts against the bound
    unended += chunk.length
    parser.feed(decoder.decode(chunk, { stream: true }))
    if (messages.length > 0) unended = 0
    if (unended > max) throw new RangeError(`more than ${max} bytes without a message`)
    yield* messages
    messages = []
  }
}

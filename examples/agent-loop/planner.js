// @ts-check
// Stands where a model would: says which tool to call next, by what it has seen. The steps are a script, so that the
// example ends the same way each time; a model would be shown the descriptions and schemas of the tools instead.

/**
 * @typedef {{ code: string | null, advice: string | null, approval?: import('procura/wallet').ApprovalRequest | null }} Refused
 * @typedef {{ status?: number, result?: { price?: number }, approval?: string, refused?: Refused }} Observation
 * @typedef {{ tool: string, input: Record<string, unknown>, approval?: string | undefined }} ToolCall
 * @typedef {(seen: Observation | null) => ToolCall} Step
 * @typedef {{ goal: string, tools: readonly string[], next: (seen: Observation | null) => ToolCall | null }} Task
 */

let price = 0

/** @type {readonly { goal: string, tools: readonly string[], steps: readonly Step[] }[]} */
const SCRIPT = [
  {
    goal: 'book',
    tools: ['quote_trip', 'book_trip'],
    steps: [
      () => ({ tool: 'quote_trip', input: { trip: 'SYD-1' } }),
      seen => ({ tool: 'book_trip', input: { trip: 'SYD-1', amount: seen?.result?.price } }), // more than is granted
      () => ({ tool: 'quote_trip', input: { trip: 'MEL-2' } }),
      seen => ({ tool: 'book_trip', input: { trip: 'MEL-2', amount: (price = seen?.result?.price ?? 0) } }),
      () => ({ tool: 'pay', input: { amount: price } }), // not a tool of this sub-agent
    ],
  },
  {
    goal: 'pay',
    tools: ['pay'],
    steps: [
      () => ({ tool: 'pay', input: { amount: price } }), // the advice names the currency
      () => ({ tool: 'pay', input: { amount: price, currency: 'AUD' } }), // a person has to approve
      () => ({ tool: 'ask_person', input: {} }),
      seen => ({ tool: 'pay', input: { amount: price, currency: 'AUD' }, approval: seen?.approval }),
    ],
  },
]

/** @returns {readonly Task[]} */
export function plannerOf() {
  return SCRIPT.map(({ goal, tools, steps }) => {
    const left = [...steps]
    return { goal, tools, next: seen => left.shift()?.(seen) ?? null }
  })
}

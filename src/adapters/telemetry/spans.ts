import { context, SpanKind, trace, TraceFlags, type Attributes, type Context } from '@opentelemetry/api'
import type { Decision, Verifier } from '../../verifier/verifier.js'

/**
 * The verifier, with a span for each decision: a child of the span that is active here, or of the caller's as its
 * `traceparent` names it. Chains can be put together from spans alone. Without an OpenTelemetry SDK nothing is recorded.
 */
export function traced<V extends Pick<Verifier, 'decide'>>(verifier: V): V {
  return {
    ...verifier,
    async decide(shown, received, options) {
      const parent = parentOf({ ...received }.traceparent)
      const span = trace.getTracer('procura').startSpan('procura.decide', { kind: SpanKind.INTERNAL }, parent)
      try {
        const decision = await context.with(trace.setSpan(parent, span), () =>
          verifier.decide(shown, received, options),
        )
        if (span.isRecording()) span.setAttributes(attributesOf(decision, received.action, received.resource))
        return decision
      } finally {
        span.end()
      }
    },
  }
}

/** A decision as attributes of a span: names, digests and the outcome; no token, no parameter. */
function attributesOf(decision: Decision, action: string, resource: string): Attributes {
  const { decisionId, policyVersion, onBehalfOf, holder, root, path, digests, allow, code } = decision
  const known = {
    'trust.principal_id': onBehalfOf,
    'trust.caller_id': holder,
    'gen_ai.agent.id': holder,
    'procura.root': root,
  }
  return {
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null)),
    ...(code === null ? {} : { 'procura.code': code }),
    'trust.hop_kind': path.length > 1 ? 'delegation' : 'root',
    'trust.scopes': [`${action} ${resource}`],
    'procura.decision': allow ? 'allow' : 'deny',
    'procura.decision.id': decisionId,
    'procura.policy.version': policyVersion,
    'procura.chain.depth': path.length,
    'procura.chain.path': [...path],
    'procura.chain.digests': [...digests],
  }
}

/** What is active here comes before what the caller says. @see https://www.w3.org/TR/trace-context/#traceparent-header */
function parentOf(traceparent: unknown): Context {
  const active = context.active()
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(typeof traceparent === 'string' ? traceparent : '') ?? []
  if (trace.getSpan(active) !== undefined || traceId === undefined || spanId === undefined) return active
  const isSampled = (parseInt(flags ?? '0', 16) & 1) === 1
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  return trace.setSpanContext(active, { traceId, spanId, traceFlags, isRemote: true })
}

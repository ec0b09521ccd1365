import { didWebAt } from '../did/web.js'
import { parseIssuingPolicy, requireAsStrict, type IssuingPolicy } from '../policy/issuing.js'
import { refusalAt, type Looking } from './config-report.js'
import { readJsonFile } from './parts.js'
import { readPolicy } from './verifier.js'

/** Policies that cannot be read, ask less than the issuing policy, or answer for one audience twice. */
export async function checkPolicies({ known, report }: Looking): Promise<void> {
  const { policy: path, origin, resourceServers = [] } = known
  const issuer = origin === undefined ? null : didWebAt(`${origin}/.well-known/did.json`)
  let issuing: IssuingPolicy | null = null
  if (path !== undefined) {
    try {
      issuing = parseIssuingPolicy(await readJsonFile(path), path)
    } catch (error) {
      report(refusalAt(['procura', 'policy'], error))
    }
  }
  const audiences = new Map<string, string>()
  for (const [n, { name, policy: file }] of resourceServers.entries()) {
    const at = ['procura', 'resourceServers', n, 'policy']
    try {
      const policy = await readPolicy(file)
      const twin = audiences.get(policy.self)
      if (twin !== undefined) {
        const why = `${file} answers for ${policy.self}, and so does the one of ${twin}`
        report({
          level: 'error',
          at,
          code: 'CONFIG_INVALID',
          why,
          remedy: 'give each resource server its own audience',
        })
      }
      audiences.set(policy.self, name)
      if (issuing !== null && issuer !== null) requireAsStrict(policy, issuing, issuer, file)
    } catch (error) {
      report(refusalAt(at, error))
    }
  }
}

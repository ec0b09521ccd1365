/** Breaks that a verifier may let through, each only where the second reading of the profile has no objection either. */
const HARMLESS: readonly [RegExp, string][] = [
  [/^nothing$/, 'nothing was broken'],
  [/^(link|shown|list|approval) header (Ed25519|alg \S+)$/, 'alg: EdDSA and Ed25519 are two names of one algorithm'],
  [/^(link|shown|list) header (no cty|cty delete)$/, 'cty: optional'],
  [
    /^(link|shown) header (other fragment|kid \S+)$/,
    'kid: below the root the link above holds the key; its DID is compared',
  ],
  [/^link id (swap|neighbour)$/, 'id of the leaf: a label that nobody names'],
  [
    /^(link|list) (?!credential|cnf|type|@context|iss|sub|vc|vp|nbf|iat|exp|valid)\S* add$/,
    'unknown members at the top are ignored',
  ],
  [/^link name /, 'name: an unknown member at the top, ignored'],
  [/^link credentialSubject\.authority\.purpose\.ref /, 'purpose.ref: a label'],
  [
    /^link credentialSubject( swap$|\.authority[. ])/,
    'authority: the link is still within what stands above it and still allows the call',
  ],
  [/^link credentialStatus(\.#)?\.id /, 'id of a status entry: a label'],
  [
    /^link (entry|credentialStatus)/,
    'status entry: whoever issues a link chooses where its own bit stands, if it needs one',
  ],
  [
    /^link (times \S+|iat|validFrom|validUntil|exp)( \S+)?$/,
    'times: still in force and within those above and around those below',
  ],
  [/^leaf to another$/, 'subject of the leaf: no link restricts who receives it'],
  [/^shown (jti|nonce) \S+$/, 'jti: any name not used before; nonce: nobody asked for one'],
  [/^shown (times|iat \S+|exp \S+)$/, 'times: still in force and at most 120 s'],
  [/^shown identity[. ]/, 'identity: nobody asks for any, or who has to be vouched for still is'],
  [/^shown request\.(provenance|purpose)/, 'provenance, purpose: nobody asks for them, or they are trusted'],
  [/^approval approver[. ]/, 'approver: put on record, vouches for nothing'],
  [/^approval (times|jti \S+|iat \S+|exp \S+)$/, 'approval: another name, or still in force and at most 300 s'],
  [/^list (another bit set|packed otherwise|longer)$/, 'list: the bit that counts is as before'],
  [
    /^list (age|times|version|iat \S+|validFrom \S+|credentialSubject\.version \S+)$/,
    'list: still fresh, its version not lower',
  ],
  [/^list credentialSubject\.(id|ttl) /, 'list: labels'],
  [
    /^list credentialSubject (add|swap)$|^list credentialSubject\.\S* add$/,
    'list: unknown members say nothing, a list of the same bits',
  ],
  [/^list credentialSubject\.encodedList /, 'list: the same bits'],
  [/^unread identity /, 'identity: nobody asks for any, so none is read'],
  [/^identity header (Ed25519|alg \S+|no cty|cty delete)$/, 'identity: two names of one algorithm, an optional member'],
  [
    /^identity (?!credential|cnf|type|@context|iss|sub|vc|vp|nbf|iat|exp|valid)\S* add$/,
    'identity: unknown members at the top are ignored',
  ],
  [
    /^identity (id (swap|neighbour)|evidence\S* \S+|credentialSubject( swap|\.agent\S* \S+))$/,
    'identity: labels, and what its issuer says of the agent',
  ],
  [/^identity (entry|credentialStatus)/, 'identity: its issuer chooses where its bit stands, if it needs one'],
  [/^identity (times|(iat|validFrom|validUntil|exp) \S+)$/, 'identity: still in force'],
  [
    /^identity (names \S.*|none|dropped|reversed|other|appended|many)$/,
    'identity: who has to be vouched for still is, in any order',
  ],
  [/^event .* of somebody who may not$/, 'event: its signer has no say over it'],
  [/^asked anew /, 'request: signed as it is asked, and every link allows it'],
  [/^clock$/, 'clock: everything is in force at that moment too'],
  [/^again, fresh$/, 'again: budgets and rates are not used up yet'],
]

/** Says why a break is harmless, or `null`. */
export function excuse(place: string): string | null {
  return HARMLESS.find(([pattern]) => pattern.test(place))?.[1] ?? null
}

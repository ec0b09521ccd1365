import type { AdminOptions } from './admin.js'
import type { OpenIssuer } from './issuer.js'
import type { Shell } from './program.js'

/** Runs a command with the operator's access, which is loaded late: help and usage faults should be told at once. */
export async function asAdmin(
  options: AdminOptions,
  environment: Shell['environment'],
  run: (admin: OpenIssuer) => Promise<void>,
): Promise<void> {
  const { openAdmin } = await import('./admin.js')
  const admin = await openAdmin(options, environment)
  try {
    await run(admin)
  } finally {
    await admin.close()
  }
}

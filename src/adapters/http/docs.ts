import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { toOpenApi } from './openapi.js'

/** `/openapi.json`, and a page to read it at `/docs`, which needs nothing from elsewhere. */
export async function documentApi(app: FastifyInstance, origin: string): Promise<void> {
  const document = toOpenApi(origin)
  await app.register(swagger, { mode: 'static', specification: { document: document as never } })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    uiConfig: { supportedSubmitMethods: [], validatorUrl: null },
  })
  app.get('/openapi.json', () => document)
}

# What `npm run build` makes, without what only building needs, run by a user who may do nothing else.
FROM node:20-bookworm-slim AS build
WORKDIR /app
# for the SQLite driver, where it has to be compiled
RUN apt-get update && apt-get install -y --no-install-recommends python3 make g++ && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json tsconfig.json ./
COPY .ci .ci
COPY src src
RUN npm run build
RUN npm prune --omit=dev

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY data/policies data/policies
COPY agent.yml ./
RUN mkdir -p data/var && chown node:node data/var
USER node
VOLUME /app/data/var
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/entry/cli.js", "serve"]

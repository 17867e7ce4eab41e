# The edge under Miniflare (scripts/edge.ts), for compose.yaml. The same version of Node as in package.json.
FROM node:24.21.0-bookworm-slim

WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Scripts install workerd. The package `node` would bring the Node that this image has.
RUN npm ci --ignore-scripts --loglevel=error \
    && npm rebuild --ignore-scripts=false workerd esbuild \
    && npm cache clean --force
COPY wrangler.toml ./
COPY scripts/backup.ts scripts/bundle.ts scripts/container-settings.ts scripts/edge.ts scripts/migrate.ts \
    scripts/stack.ts scripts/
COPY scripts/backup scripts/backup
COPY src/edge src/edge
COPY src/playground/public src/playground/public

# The user owns its volumes and nothing else: /app is not writable, and the root may be read-only.
RUN groupadd --gid 10001 fovea \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp fovea \
    && install -d -o fovea -g fovea -m 0700 /data /run/fovea/edge /run/fovea/worker \
    && install -d -o fovea -g fovea /app/.wrangler
USER 10001:10001
ENV HOME=/tmp
VOLUME /data
EXPOSE 8787
# The first start bundles the Worker and makes the database.
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 \
    CMD ["node", "-e", "fetch('http://127.0.0.1:8787/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGINT
CMD ["node", "--no-warnings", "scripts/edge.ts", "--data", "/data", "--settings", "/run/fovea/edge/edge.env", "--host", "0.0.0.0", "--port", "8787"]

# syntax=docker/dockerfile:1
# A data-plane node: callers of the APIs on 8080 (and 8443 with certificates), health and metrics on 8081. Built from the root of the repository:
#   docker build -f deploy/docker/data-plane.Dockerfile -t gatehouse/data-plane .
ARG NODE_VERSION=26

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY . .
RUN npm ci
RUN npx nx run app-data-plane:build --outputStyle=static
# What this application needs to run, and nothing of the others.
RUN node tools/deploy/bin/image-files.mjs /image data-plane

FROM node:${NODE_VERSION}-bookworm-slim
# tini reaps what a process leaves behind and passes signals on.
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/* \
  && groupadd --gid 10001 gatehouse \
  && useradd --uid 10001 --gid gatehouse --no-create-home --shell /usr/sbin/nologin gatehouse \
  && install -d -o gatehouse -g gatehouse -m 0700 /var/lib/gatehouse
WORKDIR /app
COPY --from=build /image /app
ENV NODE_ENV=production \
    GATEHOUSE_BIND=0.0.0.0 \
    GATEHOUSE_DATA_DIR=/var/lib/gatehouse
USER 10001:10001
VOLUME /var/lib/gatehouse
EXPOSE 8080 8443 8081
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8081/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--"]
CMD ["node", "--enable-source-maps", "--use-largepages=silent", "--external-memory-accounted-in-global-limit", "--no-allocation-site-pretenuring", "apps/data-plane/dist/main.js"]

# The operator as a static program in an otherwise empty image: the program and the roots by which it knows the cloud.
#
#   docker build -t registry.example/carpack:0.1.0 .      (or: buildah build, podman build)
FROM docker.io/library/rust:1.95.0-bookworm AS build
ARG TARGETARCH
WORKDIR /src
COPY . .
# ring is the only C here, and gcc with musl's target flags is enough for it.
RUN case "${TARGETARCH:-$(dpkg --print-architecture)}" in \
      amd64) target=x86_64-unknown-linux-musl ;; \
      arm64) target=aarch64-unknown-linux-musl ;; \
      *) echo "no target for ${TARGETARCH}" >&2; exit 1 ;; \
    esac \
 && rustup target add "$target" \
 && export "CC_$(echo "$target" | tr - _)=gcc" \
 && cargo build --release --locked --target "$target" --bin carpack \
 && mkdir -p /image/etc/ssl/certs \
 && cp "target/$target/release/carpack" /image/carpack \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
LABEL org.opencontainers.image.title="carpack" \
      org.opencontainers.image.description="Buys, renews and re-assigns concurrency packs of Tencent Cloud Application Rendering" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/carpack"]
CMD ["run"]

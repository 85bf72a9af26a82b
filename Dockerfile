# The operator and its agents: one static program, and nothing else in the image. For several architectures:
#   docker buildx build --platform linux/amd64,linux/arm64 --tag ghcr.io/microapp-dev/microapp:0.1.0 .
FROM docker.io/library/rust:1.95 AS build
WORKDIR /src
# Dependencies change seldom: they are a layer of their own.
COPY Cargo.toml Cargo.lock ./
ARG TARGETARCH
RUN case "$TARGETARCH" in arm64) echo aarch64 ;; *) echo x86_64 ;; esac | sed 's/$/-unknown-linux-gnu/' >/target \
    && rustup target add "$(cat /target)" \
    && mkdir src && echo 'fn main() {}' >src/main.rs && touch src/lib.rs \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --target "$(cat /target)"
COPY src src
# Its clock is older than that of the placeholders.
RUN find src -name '*.rs' -exec touch {} + \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --target "$(cat /target)" \
    && mv "target/$(cat /target)/release/microapp" /microapp

FROM scratch
COPY --from=build /microapp /microapp
USER 65532:65532
ENTRYPOINT ["/microapp"]

# The relay as an image: one stage builds it, the other runs it without a compiler, as a user without privileges.
#
#   docker build -t relay .
#   docker run -v relay-data:/var/lib/relay relay init --domain shop.example --operator ops@company.example /var/lib/relay
#   docker run -v relay-data:/var/lib/relay -p 25:25 -p 587:587 -p 465:465 -p 127.0.0.1:8080:8080 relay
#
# Port 8080 is for a proxy with TLS (docs/links.md); set web.host = "0.0.0.0" for it.

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/relay
COPY requirements/image.txt ./
RUN /opt/relay/bin/pip install --no-cache-dir --require-hashes --requirement image.txt
COPY pyproject.toml README.md LICENSE ./
COPY relay ./relay
RUN /opt/relay/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10025 --home-dir /var/lib/relay --shell /usr/sbin/nologin relay \
 && install --directory --owner relay --group relay --mode 0700 /var/lib/relay
COPY --from=build /opt/relay /opt/relay
COPY config.example.toml /usr/share/doc/relay/
ENV PATH=/opt/relay/bin:$PATH \
    RELAY_CONFIG=/var/lib/relay/config.toml \
    PYTHONUNBUFFERED=1
USER relay
WORKDIR /var/lib/relay
VOLUME /var/lib/relay
EXPOSE 25 465 587 8080
# The daemon drains on SIGTERM and reads its configuration again on SIGHUP.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["relay", "check", "--live"]
ENTRYPOINT ["relay"]
CMD ["serve"]

# An image in which `zero` is the command, for the CPU; or for NVIDIA's GPUs, with the CUDA toolkit from wheels:
#   docker build -t zero .                          docker run --rm -v "$PWD:/data" zero run quickstart
#   docker build -t zero:cuda --target cuda .       docker run --rm --gpus all -v "$PWD:/data" zero:cuda run linear_demo --set backend=cuda
# Runs stay in the mounted folder; compiled code and the key that signs runs are kept in it, too, for the next one.

FROM python:3.13-slim AS source
COPY pyproject.toml README.md LICENSE /src/
COPY zero /src/zero
COPY kernels /src/kernels
COPY configs /src/configs

FROM python:3.13-slim AS cuda
RUN --mount=from=source,source=/src,target=/src,rw \
    pip install --no-cache-dir '/src[gpu,boost,dashboard]'
ENV ZERO_CACHE=/data/.zero-cache
ENV ZERO_KEY=/data/.zero-key
WORKDIR /data
ENTRYPOINT ["zero"]

# The last one is what is built where no target is named.
FROM python:3.13-slim AS cpu
RUN --mount=from=source,source=/src,target=/src,rw \
    pip install --no-cache-dir '/src[boost,dashboard]'
ENV ZERO_CACHE=/data/.zero-cache
ENV ZERO_KEY=/data/.zero-key
WORKDIR /data
ENTRYPOINT ["zero"]

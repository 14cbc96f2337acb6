# An image in which `zero` is the command, for the CPU; or for NVIDIA's GPUs, with the CUDA toolkit from wheels:
#   docker build -t zero .                          docker run --rm -v "$PWD:/work" zero run quickstart
#   docker build -t zero:cuda --target cuda .       docker run --rm --gpus all -v "$PWD:/work" zero:cuda list backends
# Runs stay in the mounted folder; compiled code is kept in it, too, so that the next container finds it.

FROM python:3.13-slim AS source
COPY pyproject.toml README.md LICENSE /src/
COPY zero /src/zero
COPY kernels /src/kernels
COPY configs /src/configs

FROM python:3.13-slim AS cuda
RUN --mount=from=source,source=/src,target=/src,rw \
    pip install --no-cache-dir '/src[gpu,boost,dashboard]'
ENV ZERO_CACHE=/work/.zero-cache
WORKDIR /work
ENTRYPOINT ["zero"]

# The last one is what is built where no target is named.
FROM python:3.13-slim AS cpu
RUN --mount=from=source,source=/src,target=/src,rw \
    pip install --no-cache-dir '/src[boost,dashboard]'
ENV ZERO_CACHE=/work/.zero-cache
WORKDIR /work
ENTRYPOINT ["zero"]

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws decoding speed against the context, and the memory's bound above it, as SVG.

  for d in 0 1024 2048 4096 8192; do build/release/bin/bench -m 30b.gguf -p 0 -n 64 -d $d -o json; done |
      jq -s add >benchmarks/results/decode.json
  python3 benchmarks/plot.py benchmarks/results/decode.json >docs/decode.svg

The bound counts the weights of a token and, for each position, the keys and values of Qwen3-30B-A3B as F16.
"""
import json
import sys

CACHE_BYTES = 48 * 4 * 128 * 2 * 2  # a position: layers, heads, elements, keys and values, bytes
WIDTH, HEIGHT, LEFT, BOTTOM = 640, 360, 56, 48


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        runs = sorted((r for r in json.load(file) if r["n_gen"] > 0), key=lambda r: r["n_depth"])
    depths = [r["n_depth"] for r in runs]
    memory = max(r["memory_bytes_per_second"] for r in runs)
    bound = [memory / (r["weights_bytes_per_token"] + CACHE_BYTES * (r["n_depth"] + r["n_gen"] / 2)) for r in runs]
    top = 5 * (int(max(bound + [r["avg_ts"] for r in runs])) // 5 + 1)

    def x(depth):
        return LEFT + (WIDTH - LEFT - 24) * depth / max(max(depths), 1)

    def y(rate):
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 40) * rate / top

    def line(rates, style):
        points = " ".join(f"{x(d):.1f},{y(r):.1f}" for d, r in zip(depths, rates))
        return f'<polyline points="{points}" fill="none" stroke-width="2" {style}/>'

    def text(at_x, at_y, anchor, words):
        return f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}">{words}</text>'

    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           'font-size="13" fill="#333"><rect width="100%" height="100%" fill="#fff"/>',
           text(LEFT, 22, "start", f"Decoding, tokens a second, {runs[0]['n_threads']} threads of {runs[0]['cpu']}"),
           text(WIDTH - 24, 22, "end", f"dashed: what {memory / 1e9:.1f} GB/s allow"),
           text(WIDTH / 2, HEIGHT - 8, "middle", "tokens before")]
    for rate in range(0, top + 1, 5):
        svg += [f'<path d="M{LEFT} {y(rate):.1f}H{WIDTH - 24}" stroke="#ddd"/>',
                text(LEFT - 8, y(rate) + 4, "end", rate)]
    svg += [text(x(depth), HEIGHT - BOTTOM + 20, "middle", depth) for depth in depths]
    svg += [line(bound, 'stroke="#999" stroke-dasharray="6 4"'), line([r["avg_ts"] for r in runs], 'stroke="#06c"')]
    for run in runs:  # the mean, and from the slowest repetition to the fastest
        at, rates = x(run["n_depth"]), run["samples_ts"]
        svg += [f'<path d="M{at:.1f} {y(min(rates)):.1f}V{y(max(rates)):.1f}" stroke="#06c"/>',
                f'<circle cx="{at:.1f}" cy="{y(run["avg_ts"]):.1f}" r="4" fill="#06c"/>']
    print("\n".join(svg + ["</svg>"]))


if len(sys.argv) != 2:
    sys.exit(__doc__)
main()

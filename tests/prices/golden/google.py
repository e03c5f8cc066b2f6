"""Golden costs of Google's Gemini API."""

from typing import Final

from tests.prices.golden.case import BATCH, Case, Source, used

PRICING: Final = Source(
    "Gemini Developer API pricing", "https://ai.google.dev/gemini-api/docs/pricing", "2026-10-07",
    "api-evangelist/gemini, plans/gemini-plans-pricing.yml",
)  # fmt: skip

CASES: Final = (
    Case(
        "the last count of a short prompt", "google", "gemini-2.5-pro", used(200_000, 1_000),
        "200,000 x 1.25/M + 1,000 x 10/M", "0.26", PRICING,
    ),
    Case(
        "a long prompt", "google", "gemini-2.5-pro", used(200_001, 1_000),
        "200,001 x 2.50/M + 1,000 x 15/M", "0.5150025", PRICING,
    ),
    Case(
        "a long prompt, mostly cached", "google", "gemini-2.5-pro",
        used(250_000, 2_000, read=200_000),
        "50,000 x 2.50/M + 200,000 x 0.25/M + 2,000 x 15/M", "0.205", PRICING,
    ),
    Case(
        "audio in", "google", "gemini-2.5-flash",
        used(1_000, 100, units={"input_audio_tokens": 400}),
        "600 x 0.30/M + 400 x 1/M + 100 x 2.50/M", "0.00083", PRICING,
    ),
    Case(
        "thoughts cost what output does", "google", "gemini-2.5-flash",
        used(2_000, 1_500, reasoning=1_200),
        "2,000 x 0.30/M + 300 x 2.50/M + 1,200 x 2.50/M", "0.00435", PRICING,
    ),
    Case(
        "a batch is half", "google", "gemini-2.5-flash", used(1_000_000, 100_000),
        "1,000,000 x 0.15/M + 100,000 x 1.25/M", "0.275", PRICING, context=BATCH,
    ),
    Case(
        "text", "google", "gemini-2.5-flash-lite", used(10_000, 10_000),
        "10,000 x 0.10/M + 10,000 x 0.40/M", "0.005", PRICING,
    ),
    Case(
        "the price of this year", "google", "gemini-3.8-flash", used(100_000, 10_000),
        "100,000 x 0.75/M + 10,000 x 3.75/M", "0.1125", PRICING, at="2026-12-31T23:59",
    ),
    Case(
        "the price of next year", "google", "gemini-3.8-flash", used(100_000, 10_000),
        "100,000 x 1.50/M + 10,000 x 7.50/M", "0.225", PRICING, at="2027-01-01T00:00",
    ),
    Case(
        "a long prompt", "google", "gemini-3.1-pro-preview", used(200_001, 1_000),
        "200,001 x 4/M + 1,000 x 18/M", "0.818004", PRICING,
    ),
    Case(
        "a batch is half", "google", "gemini-3.1-pro-preview", used(100_000, 10_000),
        "100,000 x 1/M + 10,000 x 6/M", "0.16", PRICING, context=BATCH,
    ),
    Case(
        "grounding in searches", "google", "gemini-3.1-pro-preview",
        used(1_000, units={"searches": 10}), "1,000 x 2/M + 10 x 14/K", "0.142", PRICING,
    ),
    Case(
        "an image with words", "google", "gemini-3-pro-image-preview",
        used(500, 1_300, units={"output_image_tokens": 1_200}),
        "500 x 2/M + 100 x 12/M + 1,200 x 120/M", "0.1462", PRICING,
    ),
    Case(
        "an embedding", "google", "gemini-embedding-2", used(500_000),
        "500,000 x 0.20/M", "0.1", PRICING,
    ),
)  # fmt: skip

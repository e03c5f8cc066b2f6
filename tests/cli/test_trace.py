"""Traces are read whole before anything is sent, and what is wrong names its line and column."""

from pathlib import Path

import pytest

from budget.cli.trace import Call, hold_caps, read_trace
from budget.domain.errors import InvalidInput, NotFound

SAMPLE = Path(__file__).parents[2] / "examples" / "azure-2023-sample.csv"

HEADER = "timestamp,service,model,input_tokens,output_tokens\n"
GOOD = "2023-11-16T18:15:46.680590Z,conversation,gpt-4o,374,44\n"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace.csv"


def complaint(trace: Path, text: str | bytes) -> str:
    """What is said of a file that cannot be read."""
    trace.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InvalidInput) as caught:
        read_trace(trace)
    return caught.value.detail


def test_a_call_is_read_as_it_stands(trace: Path) -> None:
    trace.write_text(HEADER + GOOD)
    # 2023-11-16T18:15:46Z is 1,700,158,546 seconds after 1970.
    assert read_trace(trace) == [
        Call(2, 1_700_158_546_680_590, "conversation", "gpt-4o", 374, 44),
    ]


def test_the_sample_has_two_thousand_calls_of_two_services() -> None:
    calls = read_trace(SAMPLE)
    assert len(calls) == 2_000
    assert sum(call.service == "code" for call in calls) == 499
    assert sum(call.input_tokens for call in calls) == 2_682_592
    assert sum(call.output_tokens for call in calls) == 397_990


def test_calls_are_put_in_the_order_of_their_times(trace: Path) -> None:
    later = GOOD.replace("18:15:46", "18:15:48")
    trace.write_text(HEADER + later + GOOD)
    assert [call.line for call in read_trace(trace)] == [3, 2]


def test_columns_may_stand_in_any_order_beside_others_and_behind_a_byte_order_mark(
    trace: Path,
) -> None:
    trace.write_text(
        "\ufeffmodel, note ,output_tokens,input_tokens,service,timestamp\n"
        "gpt-4o,hello,44,374,conversation,2023-11-16T18:15:46.680590Z\n\n",
        encoding="utf-8",
    )
    assert [call[2:] for call in read_trace(trace)] == [("conversation", "gpt-4o", 374, 44)]


def test_only_the_first_calls_are_read_when_fewer_are_wanted(trace: Path) -> None:
    trace.write_text(HEADER + GOOD * 3 + "nonsense\n")
    assert [call.line for call in read_trace(trace, 2)] == [2, 3]


def test_a_file_that_is_not_there_is_not_found(trace: Path) -> None:
    with pytest.raises(NotFound, match="There is no file"):
        read_trace(trace)


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        read_trace(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "trace.csv: is empty. Needed: a line of column names, timestamp, service, model, "),
        (HEADER, "trace.csv: has no calls"),
        (
            "timestamp,service,model,input_tokens\n",
            "line 1: has no column 'output_tokens'. Needed: timestamp, service, model, ",
        ),
        ("ContextTokens,GeneratedTokens\n1,2\n", "line 1: has no column 'timestamp' and 'service'"),
        (HEADER + GOOD + "2023-11-16T18:15:46Z,c,gpt-4o,1\n", "line 3: has 4 columns where"),
        (HEADER + GOOD.replace(",374,", ",-374,"), "line 2, input_tokens: '-374' is not a whole"),
        (HEADER + GOOD.replace(",374,", ",3.5,"), "line 2, input_tokens: '3.5' is not a whole"),
        (HEADER + GOOD.replace(",374,", ",,"), "line 2, input_tokens: '' is not a whole"),
        (HEADER + GOOD.replace(",374,", ",١٢,"), "line 2, input_tokens: '١٢' is not a whole"),
        (HEADER + GOOD.replace(",44", "," + "9" * 5000), "line 2, output_tokens: must be at most"),
        (HEADER + GOOD + GOOD.replace("2023-11-16T", "16.11.2023 "), "line 3, timestamp: must be"),
        (HEADER + GOOD.replace("11-16", "11-31"), "line 2, timestamp: is not a date"),
        (HEADER + GOOD.replace("gpt-4o", ""), "line 2, model: must have 1 to 256"),
        (HEADER + GOOD.replace("conversation", "x" * 257), "line 2, service: must have 1 to 256"),
        (HEADER + '"2023-11-16T18:15:46Z,c,gpt-4o,1,2\n', "is not CSV"),
        (HEADER.encode() + b"\xff\xfe", "is not a text file in UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_column(
    trace: Path, text: str | bytes, said: str
) -> None:
    assert said in complaint(trace, text)


def test_a_hold_covers_the_longest_answer_of_its_service_in_steps_of_256() -> None:
    calls = [
        Call(2, 0, "code", "m", 10, 256),
        Call(3, 0, "code", "m", 10, 0),
        Call(4, 0, "conversation", "m", 10, 257),
        Call(5, 0, "silent", "m", 10, 0),
    ]
    assert hold_caps(calls) == {"code": 256, "conversation": 512, "silent": 256}

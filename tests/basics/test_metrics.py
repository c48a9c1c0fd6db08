from basics.metrics import Histogram, family, sample


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for figure in (0.5, 1.0, 1.5, 9.0):
        histogram.add(figure)
    assert list(histogram.lines("rows", {"model": "tone"})) == [
        'rows_bucket{model="tone",le="1.0"} 2',
        'rows_bucket{model="tone",le="2.0"} 3',
        'rows_bucket{model="tone",le="+Inf"} 4',
        'rows_sum{model="tone"} 12',
        'rows_count{model="tone"} 4',
    ]
    assert histogram.told() == {"count": 4, "mean": 3.0}


def test_a_labels_text_cannot_break_the_line() -> None:
    assert sample("jobs", {"outcome": 'a"\n\\'}, 1) == 'jobs{outcome="a\\"\\n\\\\"} 1'
    assert sample("jobs", {}, 2) == "jobs 2"


def test_a_family_of_nothing_is_nothing() -> None:
    assert family("jobs", "counter", "Jobs.", []) == []
    assert family("jobs", "counter", "Jobs.", ["jobs 1"]) == ["# HELP jobs Jobs.", "# TYPE jobs counter", "jobs 1"]

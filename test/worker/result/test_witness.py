import pytest

from fovea.result.page_result import Block
from fovea.result.witness import MIN_AGREEMENT, agreement, text_of, warning_for, words

TEXT = "Invoice 2024-17 from Müller & Sons: total 1,250.00 EUR, payable within 30 days."


def test_the_same_words_agree_whatever_their_order_case_accents_and_marks():
    assert agreement(TEXT, TEXT) == 1
    assert agreement(TEXT, "30 DAYS within payable EUR 1 250 00 total sons muller from 17 2024 invoice") == 1


def test_other_words_do_not():
    assert agreement(TEXT, "Once upon a time there was a king who had three daughters") == 0


def test_repeated_words_count_each_time():
    assert agreement("no " * 100, "no no no no no") == pytest.approx(10 / 105)


def test_nothing_read_against_many_words_is_no_agreement():
    assert agreement("", TEXT) == 0
    assert agreement(TEXT, "") == 0


def test_too_few_words_say_nothing():
    assert agreement("Page 7", "") is None
    assert agreement("", "") is None
    assert warning_for(None) is None


def test_signs_without_blanks_between_them_are_compared_one_by_one():
    assert words("光学压缩 2024") == {"光": 1, "学": 1, "压": 1, "缩": 1, "2024": 1}
    assert agreement("光学上下文压缩", "光学 上下文 压缩") == 1


def test_formulas_are_compared_without_their_markup():
    assert words(r"\(\frac{a}{b} = \alpha_1\)") == {"a": 1, "b": 1, "1": 1}


def test_doubt_names_the_share_and_begins_below_the_least_agreement():
    assert warning_for(MIN_AGREEMENT) is None
    assert "agree on only 31 %" in warning_for(0.312)


def test_the_text_of_blocks_is_that_of_all_of_them():
    blocks = [Block(1, "text", (0, 0, 1, 1), "one"), Block(2, "equation", (0, 0, 1, 1), "", latex="x")]
    assert text_of(blocks) == "one\nx"

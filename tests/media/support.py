"""The README's table of media: what goes in, what comes out, and the tests that hold it to that."""

from __future__ import annotations

SUPPORTED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "H.264, HEVC, VP9, AV1, MPEG-2 and -4, Motion JPEG, ProRes, FFV1; MP4, MOV, MKV, WebM, AVI, TS, MPG",
        "every frame at its own time",
        ("test_each_kind_of_clip_gives_the_right_pictures_at_the_right_times", "test_kinds"),
    ),
    (
        "variable frame rate, B-frames, a first time stamp that is not 0 or is negative, dropped frames",
        "the stream's own times, as exact fractions",
        (
            "test_each_kind_of_clip_gives_the_right_pictures_at_the_right_times",
            "test_negative_times_are_kept",
        ),
    ),
    (
        "edit lists",
        "what a player shows, in that order",
        ("test_edit_list_hides_frames", "test_an_edit_list_that_shows_two_parts_in_another_order"),
    ),
    (
        "time stamps that go back, repeat or are missing",
        "that frame is put between its neighbours, and a note says how many",
        (
            "test_a_time_stamp_out_of_order_moves_no_other",
            "test_times_increase_where_time_stamps_start_again",
        ),
    ),
    (
        "rotation, mirroring, pixels that are not square, odd sizes, sizes that change",
        "upright, square pixels, in display size",
        ("test_pictures_have_their_display_size", "test_size_changes_within_the_stream"),
    ),
    (
        "4:2:0, 4:2:2, 4:4:4, gray, alpha; 8, 10, 12 bits; BT.601, 709, 2020; limited and full range",
        "the colours of the standard, within 3 of 255",
        ("test_colours_are_those_of_the_standard", "test_levels_are_those_that_were_encoded"),
    ),
    (
        "HDR (PQ, HLG)",
        "as coded, without tone mapping (annotate maps it); PQ looks flat, results may suffer: a note",
        ("test_kinds", "test_hdr_is_recognised"),
    ),
    ("interlaced", "frames as they are, not deinterlaced", ("test_kinds",)),
    (
        "GIF, animated WebP",
        "every picture at its own time",
        ("test_a_gif_with_uneven_times", "test_an_animated_webp"),
    ),
    (
        "animated PNG, TIFF with several pages",
        "the first picture, and a note",
        ("test_other_files_of_several_pictures_say_that_one_was_read",),
    ),
    (
        "cover pictures, several video streams",
        "a cover is not the video; of several streams FFmpeg's best, and a note",
        (
            "test_a_cover_picture_in_mp4_is_not_the_video",
            "test_cover_picture_is_not_taken_for_the_video",
            "test_of_two_video_streams_one_is_read_and_the_other_is_named",
        ),
    ),
    (
        "headers with a wrong count or duration",
        "frames are counted, never believed",
        (
            "test_a_count_in_the_header_of_an_avi_is_not_believed",
            "test_a_duration_in_the_header_of_an_mp4_is_not_believed",
        ),
    ),
    (
        "cut, damaged",
        "what can be read, as `partial`, or `failed` with the reason",
        ("test_cut_at_any_byte", "test_damaged_files_crash_nothing_and_fool_nobody"),
    ),
    (
        "no frame, 0 bytes, sound only, text, a folder, a named pipe, a dead link, no permission",
        "`failed` with the reason",
        (
            "test_files_that_are_no_video_say_why",
            "test_a_video_stream_without_a_frame",
            "test_each_input_is_in_the_report_once_with_its_rows_or_its_reason",
        ),
    ),
    (
        "any file name: spaces, quotes, line ends, emoji, paths over 255 bytes",
        r"as it is; bytes that are not UTF-8 stand as `\xe9`",
        ("test_each_input_is_in_the_report_once_with_its_rows_or_its_reason",),
    ),
    (
        "pictures over 67 million pixels, or a decoder that hangs",
        "`failed` with the reason (`--stall-seconds`, `--worker-memory`)",
        (
            "test_a_header_that_asks_for_a_huge_picture_is_refused",
            "test_a_read_that_never_returns_ends_one_task_without_a_second_try",
        ),
    ),
)

HEAD = ("| file | what comes out |", "|---|---|")


def table_lines() -> list[str]:
    """The table as the README has it."""
    return [*HEAD, *(f"| {what} | {out} |" for what, out, _ in SUPPORTED)]

"""``hand3r-lab evaluate``: accuracy on rendered sequences never seen in training, a public data set, or photos."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from hand3r_ros.commands.base import Verbs, path_argument

if TYPE_CHECKING:
    from hand3r_lab.evaluation.outputs import Outputs


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser('evaluate', help='accuracy on rendered sequences that training never saw')
    parser.add_argument('--preset', default='tiny')
    parser.add_argument('--weights-dir', type=path_argument)
    parser.add_argument('--sequences', type=int, default=10, help='of the test split (default: 10; for the card: 50)')
    parser.add_argument('--frames', type=int, default=30, help='of every sequence (default: 30; for the card: 100)')
    parser.add_argument(
        '--drift',
        action='store_true',
        help='camera drift for every state update, reset interval and pose source instead (try --frames 300)',
    )
    parser.add_argument(
        '--placement',
        action='store_true',
        help='placement of hands without a translation head instead: scene alignment against the crop camera alone',
    )
    parser.add_argument(
        '--detection',
        nargs='?',
        const='also',
        choices=['also', 'only'],
        help="the network's own hand detection head as well, or 'only' it",
    )
    parser.add_argument('--processes', type=int, help='that share the test sequences; default: one per core')
    _add_ablations(parser)
    _add_outputs(parser)
    _add_data(parser)
    _add_photos(parser)
    _add_jitter(parser)
    parser.add_argument(
        '--rgbd',
        type=path_argument,
        metavar='FOLDER',
        help='depth, scale and camera path on a recording of a depth camera instead, with its depth hidden, given and '
        'with holes (color_* and depth_*, intrinsics.txt, poses.txt)',
    )
    parser.set_defaults(run=run)


def _add_ablations(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('parts taken away')
    group.add_argument(
        '--ablations', action='store_true', help='also without prompts, without f_s and without recurrent state'
    )
    group.add_argument(
        '--ablation-sequences', type=int, default=10, metavar='N', help='on the first N sequences only (default: 10)'
    )
    group.add_argument(
        '--fused-head',
        type=path_argument,
        metavar='FILE',
        help='also the MANO head on fused tokens from `hand3r-lab train fused_head`',
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('what is written')
    group.add_argument('--out', type=path_argument, help='write the numbers as JSON')
    group.add_argument('--csv', type=path_argument, help='write the table as CSV')
    group.add_argument(
        '--plots', type=path_argument, metavar='FOLDER', help='draw errors by occlusion, time, distance (PNG)'
    )
    group.add_argument('--tables', action='store_true', help="print the paper's tables with our row beside them")
    group.add_argument(
        '--card',
        type=path_argument,
        nargs='+',
        default=(),
        metavar='FILE',
        help='put the tables into these documents (model card), between their marks',
    )
    group.add_argument(
        '--numbers',
        type=path_argument,
        metavar='JSON',
        help='measure nothing: print, and write, what an earlier --out holds',
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('public data sets')
    group.add_argument('--data', type=path_argument, help='folder of DexYCB or HOI4D, instead of the rendered test set')
    group.add_argument('--split', help="'s0/test', 's1/test', ... of DexYCB, 'test' or 'val' of HOI4D, or 'all'")
    group.add_argument('--mano', type=path_argument, help='MANO_RIGHT.pkl or its folder; default: beside the weights')


def _add_photos(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('real photos')
    group.add_argument(
        '--photos',
        type=path_argument,
        metavar='FOLDER',
        help='labelled hands found and stretched fingers counted right instead, on the photos of labels.csv '
        '(columns file, fingers, x1, y1, x2, y2); --out and --card take the numbers',
    )
    group.add_argument(
        '--without-hands',
        type=path_argument,
        nargs='+',
        default=(),
        metavar='PATH',
        help='images that show no hand, or folders of them, with --photos: whatever is found there is wrong',
    )
    group.add_argument(
        '--empty-rooms', type=int, default=0, metavar='N', help='the same in N rendered rooms (default: 0)'
    )
    group.add_argument(
        '--sheet', type=path_argument, metavar='PNG', help='draw the published hands on all photos, wrong ones marked'
    )


def _add_jitter(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('jitter and delay')
    group.add_argument(
        '--jitter',
        action='store_true',
        help='acceleration error and delay of wrist and fingertips instead, with smoothing off and on '
        '(try --sequences 4 --frames 90)',
    )
    group.add_argument(
        '--clip', type=path_argument, metavar='VIDEO', help='also on a clip of a camera that stands still'
    )
    group.add_argument('--focal', type=float, metavar='PX', help='focal length of the clip (default: 0.9 x its width)')


def run(options: argparse.Namespace) -> None:
    """Prints the table."""
    if options.photos is not None:
        print(_on_photos(options))
    elif options.rgbd is not None:
        from hand3r_lab.evaluation.rgbd import evaluate_rgbd

        print(evaluate_rgbd(options.rgbd, options.preset, options.weights_dir, options.out))
    elif options.jitter or options.clip is not None:
        print(_jitter(options))
    elif options.placement:
        from hand3r_lab.evaluation.placement import evaluate_placement

        print(evaluate_placement(options.sequences, options.frames, options.out))
    elif options.drift:
        from hand3r_lab.evaluation.drift import evaluate_drift

        print(evaluate_drift(options.preset, options.weights_dir, options.sequences, options.frames, options.out))
    else:
        print(_accuracy(options))


def _accuracy(options: argparse.Namespace) -> str:
    from hand3r_lab.evaluation.outputs import Outputs

    outputs = Outputs(options.out, options.csv, options.plots, options.tables, tuple(options.card))
    if options.data is not None:
        return _on_data_set(options, outputs)
    from hand3r_lab.evaluation.jobs import Plan, usable_cores
    from hand3r_lab.evaluation.rendered import evaluate_rendered, reprint

    if options.numbers is not None:
        return reprint(options.numbers, outputs)
    plan = Plan(
        preset=options.preset,
        weights_dir=options.weights_dir,
        sequences=options.sequences,
        frames=options.frames,
        rows=options.detection != 'only',
        ablations=options.ablations,
        ablation_sequences=options.ablation_sequences,
        detection=options.detection is not None,
        fused_head=options.fused_head,
    )
    processes = usable_cores() if options.processes is None else options.processes
    return evaluate_rendered(plan, processes, outputs)


def _on_photos(options: argparse.Namespace) -> str:
    from hand3r_lab.evaluation.outputs import PHOTOS_BEGIN, Outputs, check_outputs, write_cards
    from hand3r_lab.evaluation.photo_sheet import draw_sheet
    from hand3r_lab.evaluation.photos import evaluate_photos, format_photos
    from hand3r_ros.visualization.picture import save_picture

    check_outputs(Outputs(options.out, cards=tuple(options.card)), PHOTOS_BEGIN)
    record, seen = evaluate_photos(
        options.photos, options.without_hands, options.empty_rooms, options.preset, options.weights_dir
    )
    text = format_photos(record)
    if options.out is not None:
        record.save(options.out)
    write_cards(options.card, text, PHOTOS_BEGIN)
    if options.sheet is not None:
        save_picture(options.sheet, draw_sheet(seen))
    return text


def _jitter(options: argparse.Namespace) -> str:
    from hand3r_lab.evaluation.jitter import evaluate_jitter, format_jitter
    from hand3r_lab.evaluation.outputs import Outputs, check_outputs

    if options.focal is not None and not 1.0 <= options.focal <= 1e6:
        raise ValueError(f'--focal must be a number of pixels, got {options.focal:g}')
    check_outputs(Outputs(options.out))
    rows = evaluate_jitter(
        options.preset, options.weights_dir, options.sequences, options.frames, options.clip, options.focal
    )
    if options.out is not None:
        options.out.write_text(json.dumps(rows, indent=1) + '\n')
    return format_jitter(rows)


def _on_data_set(options: argparse.Namespace, outputs: Outputs) -> str:
    from hand3r_lab.evaluation.annotated import evaluate_data_set

    if options.detection or options.fused_head:
        raise ValueError('--detection and --fused-head are measured on the rendered test set only, not on --data')
    return evaluate_data_set(
        options.data,
        options.split,
        options.mano,
        options.preset,
        options.weights_dir,
        options.sequences,
        options.frames,
        ablations=options.ablations,
        ablation_sequences=options.ablation_sequences,
        outputs=outputs,
    )

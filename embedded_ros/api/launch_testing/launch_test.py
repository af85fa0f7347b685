"""The command ``launch_test FILE``: runs one launch test module without pytest."""

import argparse
import sys

from launch.launch_description_sources import InvalidLaunchFileError, load_python_module

from .runner import describe_failures, load_runs


def main(arguments: list[str] | None = None) -> int:
    """Run the tests of a file; return 0 when all passed, 1 when one failed, 2 for a wrong file."""
    parser = argparse.ArgumentParser(prog='launch_test', description='Runs a launch test.')
    parser.add_argument('test_file', help='Python file with generate_test_description()')
    parser.add_argument('-v', '--verbose', action='store_true', help='list the number of tests of each run')
    options = parser.parse_args(arguments)
    try:
        runs = load_runs(load_python_module(options.test_file))
    except (InvalidLaunchFileError, AttributeError) as error:
        parser.exit(2, f'launch_test: {error}\n')
    failed = False
    for run in runs:
        result = run.run()
        failed |= not result.wasSuccessful()
        sys.stderr.write(describe_failures(result))
        counts = f'{result.testsRun} tests, {len(result.failures)} failures, {len(result.errors)} errors'
        print(f'{run.name}: {counts}, {len(result.skipped)} skipped')
    return int(failed)


if __name__ == '__main__':
    sys.exit(main())

"""The subcommands of ``hand3r``, one module each: ``add_parser`` declares the options, ``run`` does the work.

Heavy imports stay inside ``run``, so that ``hand3r --help`` answers at once.
"""

"""rpctl: administer customers' reward points from the command line, every change exactly once.

The map, a line a room; a newcomer should guess the file from the command line:

    __main__     the way in; answers ``--version`` before anything else is loaded
    errors       the tree of errors: code, exit status and hint of each
    terminal     streams, colour, width, prompts, cleaning of foreign text: the only module that writes
    locks        one byte of a file, held by one process
    domain/      the rules of points, pure: points, lots, expiries, changes, redeem options, program, values, outcomes,
                 markers (what a change is known by at a service)
    backends/    where points live: port (what a backend can do), ledger/ (a local SQLite file), http (the one client of
                 all services), patience (what is tried again), bodies, departure and watch (its time), unanswered and
                 problems (its errors), paths, direct and connection (the short way of many changes), emporix/ (backend,
                 storefront, wire, translate, answers, problems), bonifiq/ (backend, rules, wire, translate, answers,
                 problems), import_runs (what the ledger and the journal keep of imports)
    delivery/    every change exactly once over a service that promises nothing: journal, requests, reconcile, refusals,
                 deliver, settle (the writes that are no changes of points), surroundings; many changes: bulk, sight,
                 prepare, rehearsal, dispatch, parcel, lanes, pace, reach, crew, writing, claims, marks; import runs:
                 runs, undoing, takeback
    sync/        work on a service that is out of reach: outbox, mirror, standing (what both come to), deciding,
                 recording, book and runs (the port, offline), documents; push, pull
    auth/        who the program is to a service: secrets and where they come from, access tokens and their cache
    config/      profiles, the layers of settings and who decided, paths
    importing/   CSV files to changes and rejects: opening, spool, reader, plain, content, overlap, columns, products,
                 dates, plan, rejects, carried, options, passing, run, report; runs gone on with, undone, forgotten:
                 journal, request, undo, prune
    reports/     pure: history, explain, balance as of a moment
    manual/      the texts of help topics and man pages, partly from tables: topics, prose, blocks, endings, plain
    render/      views (pure), table, delimited, json
    cli/         app (root and error boundary), services, options, tree and offers (the commands as values), applying,
                 checkup (what the doctor looks at), logging_in, worlds (what a service lacks), syncing, remembering,
                 and a file per noun
    sandbox/     the documented API over a ledger on loopback, with faults on demand: application, serving, router,
                 faults, tokens, dataset, sidecar, loading, assembly; emporix/ has what is said on the wire
    docgen/      man pages and completions from the command tree and the manual; not part of a command's way

Doors: domain knows nobody; backends, auth, importing, reports and config know domain; delivery and importing know the
port, and no backend; sync knows delivery and the ledger; render knows domain and reports; the sandbox knows the ledger
and no code that talks to what it imitates; manual knows the tables of errors and importing; cli knows everybody and
loads heavy rooms only through ``cli.services``. Nothing imports cli but ``__main__`` and docgen.
"""

__version__ = "0.1.0"

"""The table of commands."""

from __future__ import annotations

from rootgen.cli.command import Group, Named

_PROFILE = Group(
    "List and check profiles.",
    """List the profiles that come with rootgen; check your own.

    \b
      rootgen profile list
      rootgen profile lint ./server.yaml
    """,
    {
        "list": Named("rootgen.cli.profile_list", "List the shipped profiles."),
        "lint": Named("rootgen.cli.profile_lint", "Check profiles for mistakes."),
    },
)

_STORE = Group(
    "Look after the image store.",
    """Look after the image store, an OCI image layout that every OCI tool reads.

    \b
      rootgen store verify
    """,
    {"verify": Named("rootgen.cli.store_verify", "Tell what is damaged.")},
)

COMMANDS = Group(
    "Make the smallest root file systems, and run them.",
    """Names of programs in, the smallest root file system that runs them out.

    \b
      rootgen make bash ls --out ./rootfs     write it
      rootgen shell ./rootfs                  be in it
      rootgen run ./rootfs -- ls /            run one command in it
      rootgen deps git                        what a program loads, found without running it
      rootgen why ./rootfs /usr/bin/bash      the reason for a file
    """,
    {
        "make": Named("rootgen.cli.make", "Write the root file system that programs need."),
        "shell": Named("rootgen.cli.shell", "Open the best shell in a root file system."),
        "run": Named("rootgen.cli.run", "Run one command in a root file system."),
        "ps": Named("rootgen.cli.ps", "List the launches that go on by themselves."),
        "exec": Named("rootgen.cli.execute", "Run a command in a launch that is running."),
        "logs": Named("rootgen.cli.logs", "Print what a launch has printed."),
        "stop": Named("rootgen.cli.stop", "End launches, and forget them."),
        "deps": Named("rootgen.cli.deps", "Show what the dynamic loader would map."),
        "why": Named("rootgen.cli.why", "Tell why a file is in a root file system."),
        "check": Named("rootgen.cli.check", "Tell what changed, and what does not resolve."),
        "diff": Named("rootgen.cli.diff", "Compare two root file systems."),
        "pack": Named("rootgen.cli.pack", "Write a root file system in another form."),
        "commit": Named("rootgen.cli.commit", "Make an image of a root file system."),
        "build": Named("rootgen.cli.build", "Make an image of a profile, layer by layer."),
        "sbom": Named("rootgen.cli.sbom", "Tell what a root file system consists of."),
        "index": Named("rootgen.cli.index", "Make one image of several, for several machines."),
        "push": Named("rootgen.cli.push", "Send an image to a registry."),
        "pull": Named("rootgen.cli.pull", "Bring an image of a registry into the store."),
        "rebase": Named("rootgen.cli.rebase", "Move an image's increments onto a newer base."),
        "images": Named("rootgen.cli.images", "List the images of the store."),
        "history": Named("rootgen.cli.history", "Tell how the layers of an image came to be."),
        "inspect": Named("rootgen.cli.inspect", "Print what an image is."),
        "rm": Named("rootgen.cli.rm", "Let the store forget images."),
        "gc": Named("rootgen.cli.gc", "Remove what no image uses."),
        "store": _STORE,
        "profile": _PROFILE,
    },
)

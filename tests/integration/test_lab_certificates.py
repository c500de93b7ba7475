# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certificates as its role makes them, without a lab: in a folder of the test's own."""

from __future__ import annotations

import datetime
import ssl
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from tests.integration.playbook import ROOT, PlaybookRun, run_playbook

FILES = ["ca.key", "ca.pem", "frontdesk.test.key", "frontdesk.test.pem"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def play(tmp_path_factory) -> Path:
    """The role's own task for the certificates, alone, with the variables that its condition reads."""
    role = ROOT / "roles" / "lab"
    tasks = yaml.safe_load((role / "tasks/present.yml").read_text())
    task = next(task for task in tasks if task["name"] == "present | Have the certificates")
    file = task["ansible.builtin.include_tasks"]["file"]
    path = tmp_path_factory.mktemp("play") / "play.yml"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(role / "defaults/main.yml"), str(role / "vars/main.yml")],
        "tasks": [
            {
                "ansible.builtin.include_role": {"name": "frontdesk.platform.lab", "tasks_from": file},
                "when": task["when"],
            }
        ],
    }
    path.write_text(yaml.safe_dump([play], sort_keys=False))
    return path


@pytest.fixture(scope="module")
def run(play, folder):
    """Run it with extra variables and options."""

    def run(*arguments: str, **variables: str) -> PlaybookRun:
        extra = [f"-e{name}={value}" for name, value in {"lab_directory": folder, **variables}.items()]
        done = run_playbook(str(play), *extra, *arguments, inventory="inventory/lab/frontdesk.yml")
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def made(run, folder) -> Path:
    """The folder with the certificates in it."""
    assert run("--check").changed > 0
    assert list(folder.iterdir()) == [], "check mode wrote something"
    run()
    return folder / "ca"


def contents(made: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in made.iterdir()}


def shake_hands(made: Path, name: str, domain: str = "frontdesk.test") -> None:
    """Let a TLS client that trusts the authority alone, and checks strictly, meet a server with the certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made / f"{domain}.pem", made / f"{domain}.key")
    client = ssl.create_default_context(cafile=made / "ca.pem")
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = sides
    while waiting:
        again = []
        for side in waiting:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                again.append(side)
        waiting = again


def test_a_strict_client_trusts_the_domain_and_its_subdomains(made):
    for name in ("frontdesk.test", "chat.frontdesk.test"):
        shake_hands(made, name)
    for name in ("frontdesk.example", "a.b.frontdesk.test"):
        with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
            shake_hands(made, name)


def test_files_are_the_owners_alone_and_the_chain_is_whole(made):
    assert sorted(contents(made)) == FILES
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == {0o600}
    leaf, authority = x509.load_pem_x509_certificates((made / "frontdesk.test.pem").read_bytes())
    assert [authority] == x509.load_pem_x509_certificates((made / "ca.pem").read_bytes())
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= datetime.timedelta(days=397)
    assert leaf.public_key().curve.name == "secp256r1"


def test_a_second_run_changes_nothing(run, made):
    before = contents(made)
    again = run()
    assert (again.changed, contents(made)) == (0, before)
    assert run("--check").changed == 0


def in_days(days: int) -> str:
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


def test_what_ends_soon_is_renewed_and_the_authority_stays(run, made):
    before = contents(made)
    # The run's "in thirty days" is after the certificate's end.
    assert run("--check", __lab_renewal=in_days(398)).changed > 0
    assert contents(made) == before
    run(__lab_renewal=in_days(398))
    after = contents(made)
    assert {name for name in FILES if after[name] != before[name]} == {"frontdesk.test.pem"}
    shake_hands(made, "frontdesk.test")


@pytest.mark.parametrize("lost", [["ca.key"], ["ca.pem", "frontdesk.test.pem"]])
def test_lost_files_are_made_again_and_fit_together(run, made, lost):
    for name in lost:
        (made / name).unlink()
    shown = run("-vvv", "--diff")
    assert "PRIVATE KEY" not in shown.stdout + shown.stderr
    assert sorted(contents(made)) == FILES
    shake_hands(made, "frontdesk.test")
    assert run().changed == 0


def test_another_domain_gets_a_certificate_of_the_same_authority(run, made):
    authority = (made / "ca.pem").read_bytes()
    run(lab_domain="other.test")
    shake_hands(made, "chat.other.test", "other.test")
    assert (made / "ca.pem").read_bytes() == authority

"""Root imports nothing that another user could have put there: the real command, and files of a real other user."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.kit.acme_sh_folder import AcmeSh
from tests.kit.import_stage import Imported, ImportStage
from tests.kit.program import named_in
from tests.kit.tool_folders import rsa_key
from tests.kit.users import NOBODY, acting_as, as_root

pytestmark = as_root
DAEMON = 1
"""A user whose primary group has its name and no other member, as Debian makes them."""
CALL = "lego --path {path} --domains example.test --http renew --renew-hook 'id > /tmp/pwned'"


@pytest.fixture
def stage(open_path: Path) -> ImportStage:
    """A machine on which root has lego's folder `/etc/lego`, with a certificate for example.test."""
    made = ImportStage(open_path)
    made.machine.lego_account()
    made.machine.lego_certificate(["example.test"])
    shutil.move(made.machine.lego, made.machine.root / "etc/lego")
    return made


def folder_of(stage: ImportStage, user: int) -> Path:
    """A folder of a user, with a copy of lego's folder `.lego` in it."""
    folder = stage.machine.root / "srv"
    folder.mkdir()
    shutil.copytree(stage.machine.root / "etc/lego", folder / ".lego")
    return stage.give(folder, user)


def write_as(user: int, file: Path, text: str) -> Path:
    """Let a user write a file."""
    with acting_as(user):
        file.write_text(text)
    return file


# ── crontabs ────────────────────────────────────────────────────────────────────────────


def test_the_crontab_of_another_user_decides_nothing(stage: ImportStage) -> None:
    """No program, route or CA comes from a line in the crontab of another user, also not with `--insist`."""
    stage.crontab(NOBODY, f"LEGO_CA_CERTIFICATES=/srv/evil.pem\n1 1 * * * {CALL.format(path='/etc/lego')} "
                          "--server https://evil.test/dir")  # fmt: skip
    done = stage.run("--insist")
    assert done.status == 0
    text = stage.config.read_text()
    assert ("pwned" in text, "evil" in text) == (False, False)
    assert done.document["certificates"][0]["routes"] == [{"challenge": "dns-01", "dns": "manual"}]


def test_a_line_for_another_user_in_a_crontab_of_the_system_decides_nothing(stage: ImportStage) -> None:
    """A line of `/etc/crontab` that runs as another user is not the job of root's folder."""
    stage.machine.write("etc/crontab", f"1 1 * * * nobody {CALL.format(path='/etc/lego')}\n")
    assert stage.run().status == 0
    assert "pwned" not in stage.config.read_text()


def test_the_crontab_of_root_counts(stage: ImportStage) -> None:
    """Root's own crontab is read in Debian's folder for crontabs (mode 1730), without a question."""
    stage.crontab(0, f"1 1 * * * {CALL.format(path='/etc/lego')}")
    done = stage.run()
    assert (done.status, done.document["certificates"][0]["routes"]) == (0, [{"challenge": "http-01", "dns": None}])
    assert "/var/spool/cron/crontabs/root:1" in stage.config.read_text()


def test_a_crontab_of_root_s_name_that_another_user_wrote_is_refused(stage: ImportStage) -> None:
    """A file with root's name that another user owns is an error, and nothing is written."""
    os.chown(stage.crontab(0, f"1 1 * * * {CALL.format(path='/etc/lego')}"), NOBODY, 0)
    assert_refused(stage, stage.run(), "/var/spool/cron/crontabs/root")


def untrusted(done: Imported) -> list[dict[str, Any]]:
    """The findings about files that were not used."""
    return [each for each in done.document["not_understood"] if each["code"] == "import-untrusted"]


# ── folders, scripts, links ─────────────────────────────────────────────────────────────


def assert_refused(stage: ImportStage, done: Imported, path: str | Path, *, part: Path | None = None) -> None:
    """Check that an import ended with `import-untrusted` and wrote nothing."""
    assert (done.status, done.error["code"]) == (1, "import-untrusted")
    evidence = done.error["evidence"]
    assert (evidence["path"], evidence["part"], evidence["owner"]) == (str(path), str(part or path), "nobody")
    assert os.listdir(stage.config.parent) == []


def test_the_current_folder_of_another_user_is_not_looked_into(stage: ImportStage) -> None:
    """Root imports `./.lego` and `./Caddyfile` only if PATH names them."""
    folder = folder_of(stage, NOBODY)
    write_as(NOBODY, folder / "Caddyfile", "example.test {\n tls {\n dns duckdns evil-token\n }\n}\n")
    shutil.rmtree(stage.machine.root / "etc/lego")
    done = stage.run(here=folder)
    assert (done.status, done.error["code"]) == (2, "import-nothing-found")
    assert str(folder) not in str(done.error["evidence"])


def test_a_named_folder_of_another_user_is_refused(stage: ImportStage) -> None:
    """The error names the folder and its owner, and the command that this owner runs; nothing is written."""
    folder = folder_of(stage, NOBODY)
    write_as(NOBODY, folder / "renew.sh", f"#!/bin/sh\n{CALL.format(path=folder / '.lego')}\n")
    done = stage.run(folder / ".lego")
    assert_refused(stage, done, folder / ".lego", part=folder)
    assert "sudo -u nobody" in done.error["fix"]
    words = named_in(done.error["fix"], "import {quoted}").split()
    assert stage.run(*words[1:], here=folder, user=NOBODY, env={"HOME": str(folder)}).status == 0
    (folder / "dnsrenew.toml").unlink()
    assert stage.run(folder / ".lego", "--insist").status == 0
    assert "pwned" in stage.config.read_text()


def test_a_link_to_a_key_of_root_is_not_followed(stage: ImportStage) -> None:
    """A key that another user put there as a link to one of root's is not read."""
    acme = AcmeSh(stage.machine)
    acme.certificate("example.test", Le_RealKeyPath=str(stage.machine.home / "out/key.pem"))
    closed = stage.machine.root / "closed"
    closed.mkdir(mode=0o700)
    key = acme.folder / "example.test_ecc/example.test.key"
    shutil.move(key, closed / "k.pem")
    stage.give(stage.machine.home, NOBODY)
    with acting_as(NOBODY):
        key.symlink_to(closed / "k.pem")
        with pytest.raises(PermissionError):
            key.read_bytes()
    assert_refused(stage, stage.run(acme.folder), acme.folder, part=stage.machine.home)


def test_a_link_of_another_user_in_a_sticky_folder_is_refused(stage: ImportStage) -> None:
    """Where others can add files, a certificate file that is another user's link is refused."""
    certificates = stage.machine.root / "etc/lego/certificates"
    key = certificates / "example.test.key"
    shutil.move(key, stage.here / "k.pem")
    certificates.chmod(0o1777)
    with acting_as(NOBODY):
        key.symlink_to("/srv/root/k.pem")
    assert_refused(stage, stage.run(), "/etc/lego/certificates/example.test.key")


@pytest.mark.parametrize("place", ["etc/lego/renew.sh", "etc/cron.daily/lego", "srv/lego.env", "srv/renew"])
def test_what_a_job_reads_is_judged(stage: ImportStage, place: str) -> None:
    """A script beside the folder, one that cron runs, one that a unit runs, and the environment of a unit are judged.

    A file of another user that does not run the tool is nobody's concern.
    """
    file = stage.machine.root / place
    file.parent.mkdir(exist_ok=True)
    is_environment = file.suffix == ".env"
    lines = f"EnvironmentFile={file}\nExecStart=/usr/bin/lego renew\n" if is_environment else f"ExecStart={file}\n"
    if place.startswith("srv"):
        stage.machine.write("etc/systemd/system/x.service", f"[Service]\n{lines}")
    file.write_text("A=1\n" if is_environment else f"#!/bin/sh\n{CALL.format(path='/etc/lego')}\n")
    os.chown(file, NOBODY, NOBODY)
    assert_refused(stage, stage.run(), f"/{place}" if place.startswith("etc") else file)
    file.write_text("#!/bin/sh\necho nothing\n")
    if not is_environment:
        assert stage.run().status == 0


def test_the_configuration_of_a_server_that_others_own_is_named_and_not_believed(stage: ImportStage) -> None:
    """Such a file decides no `reload`, `verify` or line to change; a finding names it and its owner."""
    site = f"server {{\nlisten 443 ssl;\nssl_certificate {'/etc/lego/certificates/example.test.crt'};\n}}\n"
    os.chown(stage.machine.write("etc/nginx/conf.d/evil.conf", site), NOBODY, NOBODY)
    done = stage.run()
    assert (done.status, done.document["servers"]) == (0, [])
    (note,) = untrusted(done)
    assert (note["file"], "nobody" in note["message"]) == ("/etc/nginx/conf.d/evil.conf", True)
    assert "nginx" not in stage.config.read_text().partition("# Not imported")[0]


@pytest.mark.parametrize("owner", [NOBODY, 0])
def test_the_owner_of_a_deployed_file_counts_only_in_a_folder_of_root(stage: ImportStage, owner: int) -> None:
    """Where others could have put the file, its owner would get the next key; a finding names it."""
    acme, out = AcmeSh(stage.machine), stage.machine.root / "out"
    out.mkdir()
    key = out / "key.pem"
    key.write_text("old")
    os.chown(key, NOBODY, NOBODY)
    os.chown(out, owner, owner)
    acme.certificate("a.test", Le_RealKeyPath=str(key))
    done = stage.run(acme.folder)
    assert done.status == 0
    assert ('owner = "nobody"' in stage.config.read_text()) == (owner == 0)
    assert [each["file"] for each in untrusted(done)] == ([] if owner == 0 else [str(out)])


def test_credentials_in_a_home_of_another_user_are_named_and_not_used(stage: ImportStage) -> None:
    """Root's certbot may use them; the rest is imported, and the token is left to be written."""
    home = stage.give(stage.machine.home, NOBODY)
    file = write_as(NOBODY, home / "c.ini", "dns_cloudflare_api_token = of-nobody\n")
    stage.machine.certbot_certificate(
        "b.test", authenticator="dns-cloudflare", dns_cloudflare_credentials=str(file), maps=""
    )
    done = stage.run("/etc/letsencrypt")
    assert (done.status, [each["file"] for each in untrusted(done)]) == (0, [str(file)])
    assert 'auth_token = "file:cloudflare-auth-token.txt"' in stage.config.read_text()
    assert not (stage.config.parent / "cloudflare-auth-token.txt").exists()


def test_a_hook_of_another_user_is_refused(stage: ImportStage) -> None:
    """A file in `renewal-hooks/` that another user owns would run as root."""
    stage.machine.certbot_certificate("b.test")
    hook = stage.machine.write("etc/letsencrypt/renewal-hooks/deploy/x", "#!/bin/sh\n", 0o755)
    os.chown(hook, NOBODY, NOBODY)
    assert_refused(stage, stage.run("/etc/letsencrypt"), "/etc/letsencrypt/renewal-hooks/deploy/x")


# ── what goes on without a question ─────────────────────────────────────────────────────


def test_root_s_own_folders_are_imported(stage: ImportStage) -> None:
    """Root's `/etc/letsencrypt` and `/etc/lego`, with root's jobs and nginx, are imported as before."""
    stage.machine.certbot_account(rsa_key())
    stage.machine.certbot_certificate("b.test")
    stage.machine.write("etc/cron.d/lego", f"1 1 * * * root {CALL.format(path='/etc/lego')}\n")
    site = "server {\nlisten 443 ssl;\nssl_certificate /etc/letsencrypt/live/b.test/fullchain.pem;\n}\n"
    stage.machine.write("etc/nginx/sites-enabled/b", site)
    done = stage.run()
    assert done.status == 0
    assert {each["name"]: each["stored"] for each in done.document["certificates"]} == {
        "example.test": True,
        "b.test": True,
    }
    assert [line["file"] for line in done.document["servers"]] == ["/etc/nginx/sites-enabled/b"]
    assert "import-untrusted" not in str(done.document)


@pytest.mark.parametrize("user", [NOBODY, DAEMON])
def test_a_user_imports_its_own_folders(stage: ImportStage, user: int) -> None:
    """A user imports `~/.acme.sh` and `~/.lego` of its own; also with umask 002, where its group may write."""
    AcmeSh(stage.machine).certificate("a.test")
    home = stage.machine.home
    shutil.copytree(stage.machine.root / "etc/lego", home / ".lego")
    shutil.rmtree(stage.machine.root / "etc/lego")
    stage.machine.write("home/me/renew.sh", f"#!/bin/sh\n{CALL.format(path='/srv/home/me/.lego')}\n")
    stage.give(home, user)
    if user == DAEMON:
        for path in (home, *home.rglob("*")):
            path.chmod(path.stat().st_mode | 0o020)
    done = stage.run(here=Path("/srv/home/me"), user=user, env={"HOME": "/srv/home/me"})
    assert done.status == 0, done.document
    assert {each["name"] for each in done.document["certificates"]} == {"a.test", "example.test"}
    written = Path(done.document["written"][-1]).relative_to("/srv")
    assert "pwned" in (stage.machine.root / written).read_text()


def test_root_of_a_container_without_root_imports_its_own_folders(stage: ImportStage) -> None:
    """In a user namespace the folder above all mounts belongs to no user of it, and `/etc/lego` to its root."""
    stage.machine.write("etc/cron.d/lego", f"1 1 * * * root {CALL.format(path='/etc/lego')}\n")
    stage.give(stage.machine.root, NOBODY)
    config = "/srv/target/dnsrenew.toml"
    done = stage.run("--config", config, user=NOBODY, within=("unshare", "--map-root-user", "--mount"))
    assert done.status == 0, done.document
    assert "pwned" in stage.config.read_text()

"""Files and folders on storage systems: list, read, write, move, share."""

from __future__ import annotations

import dataclasses
import functools
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from .. import checksums, imports, links, macros, media
from ..api import BadRequest, Call, Download, Listing, NotFound, Page, Reply, TakesLong, Unsupported, Upload
from ..clock import iso
from ..conversions import Conversion
from ..disk import clear_refusals, is_in
from ..downloads import Interruption
from ..events import Subject
from ..fields import truth
from ..file_access import FileAccess, Target
from ..file_changes import FileChanges, arrival, require_there
from ..file_records import FileRecords, Record
from ..folder_names import FolderNames, Snapshot
from ..pems import ALL, READ, RIGHTS, WORDS, bits_of
from ..search import bounds
from ..transfers import Transfers, Work
from . import Service, brief_write
from .file_answers import address, entry, event, facts_of, logical_file, permission, told
from .notification_request import embedded, to_callback

if TYPE_CHECKING:
    from ..disk import Disk
    from ..state import State
    from .notifications import Notifications
    from .systems import Systems

_UNNAMED = "unknown"

# Written out here, since in the class ``list`` is an operation.
History = list[dict[str, Any]]
Entries = list[dict[str, Any]]


class Files(Service):
    """The operations of resources/files.yaml; those on the default system are the others without a system."""

    name = "files"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._disk: Disk = state.disk
        self._records = FileRecords(state.store, state.clock, state.disk.systems, announce=self._announce)
        self._access = FileAccess(state, self._records)
        self._folder_names = FolderNames(state.clock)
        self._changes = FileChanges(self._disk, state.store, self._access, self._records)
        self._transfers = Transfers(state, self._access, self._changes, self._records)

    @property
    def _systems(self) -> Systems:
        return self.state.systems

    @property
    def _notifications(self) -> Notifications:
        return cast("Notifications", self.state.services["notifications"])

    def start(self) -> None:
        """Finish moves and deletions, and give up imports, that an earlier tenant on this root has left unfinished."""
        self._changes.finish_interrupted()
        self._transfers.fail_interrupted()

    # Events

    def subject(self, uuid: str) -> Subject | None:
        found = self._records.by_uuid(uuid)
        return self._subject(*found) if found else None

    def _subject(self, real: Path, record: Record) -> Subject | None:
        """Return an item as events are about it; None when its system is gone or no longer reaches to it."""
        system = self.store.get("system", self._disk.system_of(real))
        if system is None or not is_in(real, self._disk.root_of(system)):
            return None
        path = self._disk.api_path(system, real)

        def of(user: str) -> Target:
            return Target(user, system, path, real)

        return Subject(
            record["uuid"],
            f"files/v2/media/system/{address(of(''))}",
            lambda user: bool(self._access.rights(of(user)) & READ),
            lambda call: told(of(call.user), record, self._access.rights(of(call.user)), call),
        )

    def _announce(self, real: Path, record: Record, event: str, user: str, about: Mapping[str, str]) -> None:
        subject = self._subject(real, record) if self.state.events.are_heard() else None
        if subject is not None:
            self.state.events.publish(subject, event, by=user, macros=about)

    # What the other services and the tenant ask

    def permission_of(self, user: str, system: dict[str, Any], path: str) -> str:
        """Return the user's permission word on a path: NONE, READ, … ALL; the path need not exist."""
        return self._access.word(self._access.on(user, system, path))

    def target_of(self, uuid: str, user: str) -> Target | None:
        """Return the item a uuid was given to, as the user addresses it; None when there is no such item any more."""
        found = self.store.by_uuid("file", uuid)
        if found is None or found[1]["deleted"]:
            return None
        real = self._records.place_of(found[0])
        system = self.state.systems.document(self._disk.system_of(real))
        return self._access.on(user, system, self._disk.api_path(system, real))

    def require_tree(self, user: str, system: dict[str, Any], path: str) -> None:
        """:raises ApiError: the user may not read a path and all that is in it; the path need not exist."""
        self._access.require_tree(self._access.on(user, system, path), READ)

    def fetch(
        self,
        user: str,
        uri: str,
        destination_dir: Path,
        base_url: str,
        *,
        interruption: Interruption | None = None,
    ) -> str:
        """
        Copy an input into a folder and return its name there.

        :param uri: agave://, http, https, or a path on the user's default storage system.
        :param interruption: lets others break off a download.
        :raises ApiError: it cannot be read.
        """
        source = self._transfers.read(uri, base_url=base_url)
        name = self._transfers.name_of(user, source)
        with clear_refusals(imports.without_password(uri)):
            self._transfers.deliver(user, source, destination_dir / name, interruption=interruption)
        return name

    def input_name(self, user: str, uri: str, base_url: str) -> str:
        """
        Return the name :meth:`fetch` will give an input, which need not be there yet; the web is not asked.

        :raises ApiError: it is not the user's to read.
        """
        source = self._transfers.read(uri, base_url=base_url)
        try:
            return self._transfers.name_of(user, source)
        except NotFound:
            return source.name

    def converted(self, user: str, *, owner: str, path: str, conversion: Conversion, native_format: str) -> Download:
        """
        Return the converted file of an owner, as a download that leaves nothing behind.

        :raises ApiError: it is not the user's to read, or not what the conversion reads.
        """
        source, output = self._of_owner(user, owner, path), self._disk.new_incoming()
        try:
            with clear_refusals(source.path):
                conversion.run(source.real, output, native_format=native_format)
        except BaseException:
            output.unlink(missing_ok=True)
            raise
        name = conversion.name_of_output(source.name)
        return Download(output, name, media.type_of(name), is_temporary=True)

    def begin_conversion(
        self,
        call: Call,
        *,
        owner: str,
        path: str,
        url: str,
        conversion: Conversion,
        native_format: str,
        callback_url: Any,
    ) -> None:
        """
        Convert a file of an owner in the background.

        :param url: where the output goes, a file or folder of this tenant.
        :param callback_url: told when the output is there, or will not be.
        :raises ApiError: the source is not the caller's to read, or the output not theirs to write.
        """
        source = self._of_owner(call.user, owner, path)
        place = imports.read(url, base_url=call.base_url)
        if not isinstance(place, imports.TenantFile):
            raise BadRequest(f"The output must go to a file of this tenant; url is {imports.without_password(url)}.")
        name = conversion.name_of_output(source.name)
        target = self._destination(call.user, place.system_id, place.path, None, name)
        self._attach(target, _callbacks(callback_url, "TRANSFORMING_COMPLETED", "TRANSFORMING_FAILED"))
        work = functools.partial(self._convert, call.user, source, conversion, native_format)
        self._transfers.begin_work(target, Work("TRANSFORMING", "transform", source.path, work))

    def _convert(self, user: str, source: Target, conversion: Conversion, native_format: str, place: Path) -> None:
        # Found anew: others may have changed the file, or who may read it, while this waited.
        source = self._access.on(user, self._systems.document(source.system["id"]), source.path)
        self._require_readable_file(source)
        output = self._disk.new_incoming()
        try:
            conversion.run(source.real, output, native_format=native_format)
            self._disk.place_file(output, place)
        finally:
            output.unlink(missing_ok=True)

    def _of_owner(self, user: str, owner: str, path: str) -> Target:
        """Return a file that a user may read: on a public default system in the owner's home, else the owner's."""
        system = self._systems.default_for(user, "STORAGE")
        target = self._access.target(user, system["id"], f"{owner}/{path}" if system["public"] else path)
        self._require_readable_file(target)
        if self._access.owner(target) != owner:
            raise NotFound(f"No file {target.path} of {owner} on system {system['id']}.")
        return target

    def take_system(self, system: dict[str, Any]) -> Path:
        """Take away a system's files and all that is known of them; return what is left to :meth:`Disk.discard`."""
        self._records.forget(self._disk.systems / system["id"])
        return self._disk.take_system(system)

    def wait_idle(self, timeout_s: float) -> None:
        """Return when all imports are done; :raises TimeoutError: they are not in time."""
        self._transfers.wait_idle(timeout_s)

    def close(self) -> None:
        """Give up the imports that are not done and wait for their threads."""
        self._transfers.close()

    # Listings

    def list(self, call: Call, *, systemId: str | None = None, filePath: str = "") -> Page:
        target = self._access.target(call.user, systemId, filePath)
        if not self._access.is_shared_home(target):
            self._access.require(target, READ)
        require_there(target)
        limit, offset = bounds(call.query)
        # The item itself comes first and counts as one, on the first page and against the limit.
        first = [self._entry_of_itself(target, call)] if offset == 0 and limit else []
        if not target.real.is_dir():
            return Page(first)
        with clear_refusals(target.path):
            return Page(first + self._children(target, limit - len(first), offset, call))

    def listOnDefaultSystem(self, call: Call, *, filePath: str = "") -> Page:
        return self.list(call, filePath=filePath)

    def _children(self, folder: Target, count: int, offset: int, call: Call) -> Entries:
        """Return so many entries, from an offset on; fewer at the end of the folder only."""
        sees_all = bool(self._access.rights(folder) & READ)
        snapshot = self._folder_names.snapshot(folder.user, folder.real, offset) if sees_all else self._seen(folder)
        position = snapshot.position(offset)
        below = self._access.rights_below(folder)
        found: Entries = []
        while len(found) < count and position < len(snapshot.names):
            found += self._entry_of_child(folder, snapshot.names[position], below, call)
            position += 1
        if sees_all and found and len(found) == count:
            self._folder_names.keep(
                folder.user, folder.real, snapshot, offset=max(1, offset) + count, position=position
            )
        return found

    def _seen(self, folder: Target) -> Snapshot:
        """Return what the user may read in the folder of all homes."""
        names = sorted(os.listdir(folder.real), key=os.fsencode)
        return Snapshot([each for each in names if self._access.rights(self._access.child(folder, each)) & READ])

    def _entry_of_itself(self, target: Target, call: Call) -> dict[str, Any]:
        rights = self._access.rights(target) | (READ if self._access.is_shared_home(target) else 0)
        with clear_refusals(target.path):
            listed = entry(target, target.real.stat(), rights, call)
        # The item asked for is tracked from now on, so that metadata can be associated with it.
        record = self._records.touch(target.real, self._access.owner(target))
        listed["_links"]["metadata"] = links.metadata(call, record["uuid"])
        listed["_links"]["history"] = call.link(f"files/v2/history/system/{address(target)}")
        return {**listed, "name": "."} if listed["type"] == "dir" else listed

    def _entry_of_child(self, folder: Target, name: str, below: int, call: Call) -> Iterator[dict[str, Any]]:
        path = f"{folder.path.rstrip('/')}/{name}"
        child = dataclasses.replace(folder, path=path, real=folder.real / name)
        try:
            facts = child.real.lstat()
            if stat.S_ISLNK(facts.st_mode):
                child, facts = self._followed(child, facts)
        except FileNotFoundError:
            return  # gone since the names were read
        yield entry(child, facts, self._access.entry_rights(child, below=below), call)

    def _followed(self, link: Target, facts: os.stat_result) -> tuple[Target, os.stat_result]:
        """Return what a link points to, or the link itself when that is not there or on another system."""
        real = self._disk.real(link.real)
        if not real.exists() or not self._disk.is_inside(link.system, real):
            return link, facts
        return dataclasses.replace(link, real=real), real.stat()

    # Downloads

    @brief_write
    def download(self, call: Call, *, systemId: str | None = None, filePath: str = "") -> Download:
        target = self._access.target(call.user, systemId, filePath)
        self._require_readable_file(target)
        self._announce_download(target, call.user)
        return Download(target.real, target.name, media.type_of(target.name))

    def _require_readable_file(self, target: Target) -> None:
        self._access.require(target, READ)
        require_there(target)
        facts = facts_of(target.real)
        if facts is not None and stat.S_ISDIR(facts.st_mode):
            raise Unsupported("Directory downloads not supported")
        if facts is None or not stat.S_ISREG(facts.st_mode):
            raise BadRequest(f"{target.path} is no regular file, but a pipe, a socket or a device.")

    def _announce_download(self, target: Target, user: str) -> None:
        record = self._records.find(target.real)
        if record is not None:
            self._announce(target.real, record, "DOWNLOAD", user, {})

    @brief_write
    def downloadFromDefaultSystem(self, call: Call, *, sourcefilePath: str = "") -> Download:
        return self.download(call, filePath=sourcefilePath)

    # Uploads and imports

    @brief_write
    def importData(
        self,
        call: Call,
        *,
        systemId: str | None = None,
        filePath: str = "",
        fileToUpload: Upload | None = None,
        urlToIngest: str | None = None,
        fileName: str | None = None,
        fileType: str | None = None,  # everything is raw
        callbackURL: str | None = None,
        notifications: Any = None,
    ) -> Reply:
        settings = embedded(notifications)
        destination = functools.partial(self._destination, call.user, systemId, filePath, _file_name(fileName))
        if fileToUpload is not None:
            settings += _callbacks(callbackURL, "STAGING_COMPLETED")
            return self._keep_upload(destination(fileToUpload.file_name or _UNNAMED), fileToUpload, settings, call)
        if call.is_brief:
            raise TakesLong
        settings += _callbacks(callbackURL, "STAGING_COMPLETED", "STAGING_FAILED")
        if not isinstance(urlToIngest, str) or not urlToIngest.strip():
            raise BadRequest("No valid URL specified: send the part 'fileToUpload', or a URL as 'urlToIngest'.")
        source = self._transfers.read(urlToIngest.strip(), base_url=call.base_url)
        self._transfers.check_readable(call.user, source)
        target = destination(self._transfers.name_of(call.user, source))
        attached = self._attach(target, settings)
        record = self._transfers.begin(target, source, shown=imports.without_password(urlToIngest.strip()))
        return Reply(logical_file(target, record, call, notifications=attached), outcome="accepted")

    def _attach(self, target: Target, settings: History) -> History:
        """Create the notifications that came with data for an item, before anything happens to it."""
        if not settings:
            return []
        with self.store.transaction():
            record = self._records.touch(target.real, target.user, deleted=False)
            return self._notifications.attach(record["uuid"], settings, owner=target.user)

    @brief_write
    def importToDefaultSystem(
        self,
        call: Call,
        *,
        sourcefilePath: str = "",
        fileToUpload: Upload | None = None,
        urlToIngest: str | None = None,
        fileName: str | None = None,
        fileType: str | None = None,
        callbackURL: str | None = None,
    ) -> Reply:
        return self.importData(
            call,
            filePath=sourcefilePath,
            fileToUpload=fileToUpload,
            urlToIngest=urlToIngest,
            fileName=fileName,
            callbackURL=callbackURL,
        )

    def _destination(self, user: str, system_id: str | None, path: str, name: str | None, fallback: str) -> Target:
        """Return where a file goes: into the folder the path names, or to the path when only its folder is there."""
        target = self._access.target(user, system_id, path)
        facts = facts_of(target.real)  # looked at once: somebody may make it meanwhile
        if facts is not None and stat.S_ISDIR(facts.st_mode):
            target = self._access.child(target, name or fallback)
            self._access.require_writable(target)
            return target
        self._access.require_writable(target)
        if facts is not None:
            raise BadRequest(f"Destination path {target.path} is a file; it must be a directory.")
        if name or path.endswith("/") or not target.real.parent.is_dir():
            raise NotFound(f"Destination path {target.path} does not exist.")
        return target

    def _keep_upload(self, target: Target, upload: Upload, settings: History, call: Call) -> Reply:
        event = arrival(target)
        with clear_refusals(target.path):
            facts = checksums.stamp(upload.path)
            self._disk.place_file(upload.path, target.real)
        # The caller is on this machine: the tenant answers on the loopback interface only.
        source = f"http://127.0.0.1/{quote(os.fsencode(upload.file_name))}"
        with self.store.transaction():
            self.state.checksums.keep(facts, upload.checksums)
            attached = self._attach(target, settings)
            done = "STAGING_COMPLETED"
            record = self._records.touch(target.real, target.user, status=done, deleted=False, source=source)
            arrived = {**record, "status": event}
            self._records.add_line(target.real, arrived, target.user, event, f"File {event.lower()} by upload")
            self._announce(target.real, arrived, "UPLOAD", call.user, {})
            self._records.add_line(target.real, record, target.user, done, "Upload completed")
        answer = logical_file(target, record, call, notifications=attached, facts=facts)
        return Reply(answer, outcome="accepted", digest=f"sha-256={upload.checksums['sha-256']}")

    # Actions

    def manage(self, call: Call, *, systemId: str | None = None, filePath: str = "", body: Any = None) -> Reply:
        fields = body if isinstance(body, dict) else {}
        actions: dict[str, Callable[[Target, str, Call], Reply]] = {
            "mkdir": self._make_folder,
            "rename": self._rename,
            "move": self._move,
            "copy": functools.partial(self._copy, append=bool(truth(fields.get("append", False)))),
        }
        action = fields.get("action")
        if not isinstance(action, str) or not action.strip():
            raise BadRequest("Please provide a file action to perform")
        word = action.strip().lower()
        if word not in actions:
            raise Unsupported(f"Action {action} not supported")
        path = _path_field(fields, word)
        target = self._access.target(call.user, systemId, filePath, follow=word in ("mkdir", "copy"))
        with clear_refusals(target.path):
            return actions[word](target, path, call)

    def manageOnDefaultSystem(self, call: Call, *, sourcefilePath: str = "", body: Any = None) -> Reply:
        return self.manage(call, filePath=sourcefilePath, body=body)

    def _make_folder(self, target: Target, path: str, call: Call) -> Reply:
        folder = self._access.below(target, path)
        made = self._changes.make_folders(
            folder, lambda there: call.link(f"files/v2/media/system/{address(there)}")["href"]
        )
        record = self._records.touch(folder.real, self._access.owner(folder))
        if made:
            return Reply(logical_file(folder, record, call), outcome="created")
        message = f"Directory {folder.path} already exists"
        return Reply(logical_file(folder, record, call), outcome="ok", message=message)

    def _rename(self, target: Target, path: str, call: Call) -> Reply:
        renamed, record = self._changes.rename(target, _name(path, "path"))
        return Reply(logical_file(renamed, record, call), outcome="ok", message="Rename success")

    def _move(self, target: Target, path: str, call: Call) -> Reply:
        moved, record = self._changes.move(target, path)
        return Reply(logical_file(moved, record, call), outcome="ok", message="Move success")

    def _copy(self, target: Target, path: str, call: Call, *, append: bool) -> Reply:
        copied, record = self._changes.copy(target, path, append=append)
        return Reply(logical_file(copied, record, call), outcome="ok", message="Copy success")

    def delete(self, call: Call, *, systemId: str | None = None, filePath: str = "") -> None:
        target = self._access.target(call.user, systemId, filePath, follow=False)
        with clear_refusals(target.path):
            self._changes.delete(target)

    def deleteFromDefaultSystem(self, call: Call, *, sourcefilePath: str = "") -> None:
        self.delete(call, filePath=sourcefilePath)

    # Histories

    def getHistory(self, call: Call, *, systemId: str | None = None, filePath: str = "") -> History:
        target = self._access.target(call.user, systemId, filePath)
        self._access.require(target, READ)
        events = self._records.history(target.real)
        if not events:
            raise NotFound(f"No history found on system {target.system['id']} for {target.path}")
        return [event(found) for found in events]

    def getHistoryOnDefaultSystem(self, call: Call, *, filePath: str = "") -> History:
        return self.getHistory(call, filePath=filePath)

    # Permissions

    def listPermissions(self, call: Call, *, systemId: str | None = None, filePath: str = "") -> Listing:
        target = self._access.target(call.user, systemId, filePath)
        self._access.require(target, READ)
        require_there(target)
        search = {"username": "username", "permission": "permission"}
        return Listing(self._permissions(target), lambda pem: permission(target, pem, call), search=search)

    def listPermissionsOnDefaultSystem(self, call: Call, *, filePath: str = "") -> Listing:
        return self.listPermissions(call, filePath=filePath)

    def updatePermissions(
        self, call: Call, *, systemId: str | None = None, filePath: str = "", body: Any = None
    ) -> Reply:
        fields = body if isinstance(body, dict) else {}
        username, word, recursive = _username(fields), _requested_word(fields), _recursive(fields)
        target = self._shareable(call, systemId, filePath)
        if username == "*":
            if word != "NONE":
                raise BadRequest("'username' * takes all permissions away: it goes without 'permission'.")
            self._revoke_all(target, recursive=recursive)
            return Reply([], outcome="ok")
        self._grant(target, username, word, recursive=recursive)
        answer = permission(target, {"username": username, "permission": word, "recursive": recursive}, call)
        return Reply([answer], outcome="ok" if word == "NONE" else "created")

    def updatePermissionsOnDefaultSystem(self, call: Call, *, filePath: str = "", body: Any = None) -> Reply:
        return self.updatePermissions(call, filePath=filePath, body=body)

    def deletePermissions(self, call: Call, *, systemId: str | None = None, filePath: str = "") -> None:
        target = self._shareable(call, systemId, filePath)
        self._revoke_all(target, recursive=_recursive(call.query))

    def _shareable(self, call: Call, system_id: str | None, path: str) -> Target:
        target = self._access.target(call.user, system_id, path)
        self._access.require(target, ALL)
        require_there(target)
        return target

    def _permissions(self, target: Target) -> Iterator[dict[str, Any]]:
        owner = self._access.owner(target)
        yield {"username": owner, "permission": "ALL", "recursive": True}
        for username, (word, recursive) in self._records.grantees(target.real).items():
            if username != owner:
                yield {"username": username, "permission": word, "recursive": recursive}

    def _grant(self, target: Target, username: str, word: str, *, recursive: bool) -> None:
        owner = self._access.owner(target)
        if username == owner:
            if word != "ALL":
                raise BadRequest(f"'{username}' owns {target.path}: the permission stays ALL.")
            return
        self._records.grant(target.real, username, word, recursive=recursive, owner=owner)
        pem = macros.of_permission(username, word, changed=iso(self.clock.now()))
        if word == "NONE":
            self._note_grant(target, "PERMISSION_REVOKE", f"All permissions revoked for {username}", pem)
        else:
            shown = "OWNER" if word == "ALL" else word
            self._note_grant(target, "PERMISSION_GRANT", f"{shown} permission granted to {username}", pem)

    def _revoke_all(self, target: Target, *, recursive: bool) -> None:
        self._records.revoke_all(target.real, recursive=recursive)
        self._note_grant(target, "PERMISSION_REVOKE", "All permissions revoked", {})

    def _note_grant(self, target: Target, status: str, description: str, pem: Mapping[str, str]) -> None:
        self._records.note_grant(target.real, target.user, status, description, macros=pem)


# What a request says


def _callbacks(url: Any, *events: str) -> History:
    """Return the notifications of a ``callbackURL``: one delivery each, of its event."""
    return [to_callback(url, event, persistent=False) for event in events] if url else []


def _file_name(value: Any) -> str | None:
    return None if value in (None, "") else _name(value, "fileName")


def _name(value: Any, field: str) -> str:
    """Return the name of one item; :raises BadRequest: it is none, or a path."""
    if not isinstance(value, str) or "/" in value or value in ("", ".", ".."):
        raise BadRequest(f"'{field}' must be a name without slashes; got {value!r:.80}.")
    return value


def _path_field(fields: dict[str, Any], action: str) -> str:
    path = fields.get("path")
    if not isinstance(path, str) or not path:
        raise BadRequest(f"No 'path' given: {action} needs one in the body.")
    return path


def _username(fields: dict[str, Any]) -> str:
    username = fields.get("username")
    if not isinstance(username, str) or not username.strip():
        raise BadRequest("No 'username' given: the body names who gets the permission.")
    return username.strip()


def _requested_word(fields: dict[str, Any]) -> str:
    """Return the permission word of a request, which may also say ``read``, ``write``, ``execute``, ``all``."""
    word = fields.get("permission")
    if word:
        return _checked_word(word)
    if truth(fields.get("all", False)):
        return "ALL"
    return WORDS[sum(bit for name, bit in RIGHTS.items() if truth(fields.get(name, False)))]


def _checked_word(word: Any) -> str:
    try:
        return WORDS[bits_of(word)]
    except (ValueError, AttributeError):
        raise BadRequest(f"'permission' must be one of {', '.join(WORDS)}; got {word!r:.80}.") from None


def _recursive(fields: Mapping[str, Any]) -> bool:
    value = fields.get("recursive")
    if value in (None, ""):
        return False
    found = truth(value)
    if found is None:
        raise BadRequest(f"'recursive' must be true or false; got {value!r:.80}.")
    return found

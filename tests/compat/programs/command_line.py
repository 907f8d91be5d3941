#!/usr/bin/env python
# A command-line tool: settings at import time, login by password, a table of systems, errors by their text.
from __future__ import print_function

import argparse
import sys

from agavepy.agave import Agave, AgaveError
from agavepy.settings import SHOW_CURL, TAPIS_DEFAULT_TENANT_ID, TAPISPY_VERIFY_SSL, VERBOSE_ERRORS
from agavepy.tenants import api_server_by_id, id_by_api_server, list_tenants
from requests.exceptions import HTTPError


def command():
    # Each command begins with the login of the last one, and renews it.
    client0 = Agave._read_clients()[0]
    ag = Agave(**client0)
    ag.refresh()
    return ag.profiles.get()["username"], ag.tenant_id


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tenant", default=TAPIS_DEFAULT_TENANT_ID)
    parser.add_argument("--username")
    parser.add_argument("--password")
    args = parser.parse_args()
    if SHOW_CURL:
        sys.exit("no curl was asked for")
    assert VERBOSE_ERRORS and TAPISPY_VERIFY_SSL
    known = [t["code"] for t in list_tenants(verify_ssl=TAPISPY_VERIFY_SSL)]
    assert args.tenant in known, known
    server = api_server_by_id(args.tenant, verify_ssl=TAPISPY_VERIFY_SSL)
    assert id_by_api_server(server, verify_ssl=TAPISPY_VERIFY_SSL) == args.tenant
    try:
        context = Agave._read_current(agave_kwargs=True)
    except FileNotFoundError:
        context = {}
    print("filed", sorted(context))
    ag = Agave(api_server=server, username=args.username, password=args.password, tenant_id=args.tenant)
    try:
        ag.clients.delete(clientName="cli")
    except HTTPError:
        pass
    ag.clients.create(body={"clientName": "cli", "description": "", "tier": "Unlimited", "callbackUrl": ""})
    print("filed", Agave._read_current(agave_kwargs=True)["token"] == ag._token, command() == command(), *command())
    print("{:<20} {:<10}".format("id", "type"))
    for system in ag.systems.list(limit=1000000):
        print("{:<20} {:<10}".format(system.id, system["type"]))
    try:
        ag.systems.get(systemId="no-such-system")
    except HTTPError as e:
        body = e.response.json()
        print("error", e.response.status_code, body["status"], body["message"] in str(e))
    try:
        Agave(api_server=server, token_callback="nothing")
    except AgaveError as e:
        print("bad argument", "callable" in str(e))
    ag.clients.delete(clientName="cli")


if __name__ == "__main__":
    main()

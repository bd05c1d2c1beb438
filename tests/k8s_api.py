#!/usr/bin/env python3
# k8s_api.py - a stand-in of the Kubernetes API, as far as lists and watches go
# SPDX-License-Identifier: Apache-2.0
"""Lists and watches of endpointslices and pods, over TLS, built from
kubernetes.io/docs/reference/using-api/api-concepts and the API reference:
labelSelector, limit and continue over one snapshot, resourceVersion, watch with
allowWatchBookmarks and timeoutSeconds, 410 as a status (lists, and watches from
a version that is no longer known) and as an ERROR event, Status objects.

The first address printed is the API's. The second, plain HTTP, is where a test
says what happens:

    POST /put               an object (kind tells what) is added or modified
    /delete?name=N          an object is deleted
    /bookmark               every watch gets a BOOKMARK of now
    /compact                what happened before now is forgotten
    /watches?do=gone        every watch ends by an ERROR event of 410
            ?do=cut         ... in the middle of an object
            ?do=split       an event comes byte by byte
            ?do=garbage     ... gets what is no JSON
            ?do=error       ... an ERROR event of 500
    /set?token=T            the bearer token that is accepted
        ?list=STATUS        lists answer so; "slow", "garbage", "cut", "endless"
        ?watch=STATUS       watches do; "cut", "close"
        ?shake=SECONDS      handshakes take so long
    /seen                   the requests so far, a line for each
    /watching               how many watches there are
"""
import argparse
import base64
import copy
import http.server
import json
import os
import socket
import ssl
import threading
import time
import urllib.parse

REASON = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 410: "Expired",
          429: "TooManyRequests", 500: "InternalError"}
PATHS = {"/apis/discovery.k8s.io/v1": ("endpointslices", "EndpointSlice",
                                       "discovery.k8s.io/v1"),
         "/api/v1": ("pods", "Pod", "v1")}


def status(code, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": REASON.get(code, ""), "code": code}


class Cluster:
    def __init__(self):
        self.lock = threading.Condition()
        self.version = 1000
        self.objects = {}       # (kind, namespace, name) -> object
        self.log = []           # (version, kind, object before, object after)
        self.oldest = 1000      # the first version that a watch can start from
        self.watches = []
        self.snapshots = {}
        self.modes = {"token": "t1", "list": "", "watch": "", "shake": "0"}
        self.seen = []

    def change(self, kind, ns, name, after):
        with self.lock:
            self.version += 1
            key = (kind, ns, name)
            before = self.objects.pop(key, None)
            if after is None:
                if before is None:
                    return
                gone = copy.deepcopy(before)
                gone["metadata"]["resourceVersion"] = str(self.version)
                self.log.append((self.version, kind, gone, None))
            else:
                after["metadata"]["resourceVersion"] = str(self.version)
                self.objects[key] = after
                self.log.append((self.version, kind, before, after))
            self.lock.notify_all()


def selects(query):
    pairs = [p.partition("=") for p in query.get("labelSelector", "").split(",") if p]

    def fits(o):
        labels = o["metadata"].get("labels", {})
        return all(labels.get(k) == v for k, _, v in pairs)
    return fits


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, code, body, length=None):
        text = body if isinstance(body, bytes) else json.dumps(body).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length or len(text)))
        self.end_headers()
        self.wfile.write(text)

    def fail(self, code, message):
        self.answer(code, status(code, message))

    def do_GET(self):
        c = self.server.cluster
        path, _, text = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text, strict_parsing=True))
        c.seen.append(self.path)
        prefix, _, rest = path.partition("/namespaces/")
        ns, _, plural = rest.partition("/")
        if self.headers.get("Authorization") != "Bearer " + c.modes["token"]:
            return self.fail(401, "Unauthorized")
        if prefix not in PATHS or PATHS[prefix][0] != plural:
            return self.fail(404, "the server could not find the requested resource")
        _, kind, version = PATHS[prefix]
        if query.get("watch") == "true":
            return self.watch(kind, version, ns, query)
        return self.list(kind, version, ns, query)

    # ---- lists ----

    def list(self, kind, version, ns, query):
        c, mode = self.server.cluster, self.server.cluster.modes["list"]
        while mode == "slow":
            with c.lock:
                c.lock.wait(1)
            mode = c.modes["list"]
        if mode.isdigit():
            return self.fail(int(mode), "told to")
        if mode == "garbage":
            return self.answer(200, b"<html>not this</html>")
        if mode == "cut":
            self.close_connection = True
            return self.answer(200, b'{"kind":"List","items":[', 1000)
        with c.lock:
            if "continue" in query:
                token = json.loads(base64.urlsafe_b64decode(query["continue"]))
                if token["rv"] not in c.snapshots:
                    return self.fail(410, "The provided continue parameter is too old")
                rv, start, items = token["rv"], token["start"], c.snapshots[token["rv"]]
            else:
                fits = selects(query)
                items = [o for (k, n, _), o in sorted(c.objects.items())
                         if k == kind and n == ns and fits(o)]
                rv, start = c.version, 0
                c.snapshots[rv] = items
        limit = min(int(query.get("limit", "0")) or len(items), self.server.page)
        meta = {"resourceVersion": str(rv)}
        if start + limit < len(items) or mode == "endless":
            meta["continue"] = base64.urlsafe_b64encode(json.dumps(
                {"v": "meta.k8s.io/v1", "rv": rv, "start": start + limit}).encode()).decode()
        return self.answer(200, {"kind": kind + "List", "apiVersion": version,
                                 "metadata": meta, "items": items[start:start + limit]})

    # ---- watches ----

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, what, obj):
        self.chunk(json.dumps({"type": what, "object": obj}).encode() + b"\n")

    def bookmark(self, kind, version, rv):
        self.event("BOOKMARK", {"kind": kind, "apiVersion": version, "metadata": {
            "resourceVersion": str(rv), "creationTimestamp": None}})

    def told(self, what, me):
        me["do"] = ""
        text = b'{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"half'
        if what == "gone":
            self.event("ERROR", status(410, "too old resource version: 1 (2)"))
        elif what == "error":
            self.event("ERROR", status(500, "etcdserver: leader changed"))
        elif what == "cut":
            self.chunk(text)
        elif what == "garbage":
            self.chunk(b"\x00\xff not JSON\n")
        self.close_connection = True

    def watch(self, kind, version, ns, query):
        c, mode = self.server.cluster, self.server.cluster.modes["watch"]
        rv, fits = int(query["resourceVersion"]), selects(query)
        if mode.isdigit():
            return self.fail(int(mode), "told to")
        if rv < c.oldest:
            return self.fail(410, "too old resource version: %d (%d)" % (rv, c.oldest))
        me = {"do": mode if mode in ("cut", "close") else ""}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        with c.lock:
            c.watches.append(me)
        try:
            self.events(me, kind, version, ns, rv, fits, query)
        except OSError:
            self.close_connection = True
        with c.lock:
            c.watches.remove(me)
        return None

    def events(self, me, kind, version, ns, rv, fits, query):
        c = self.server.cluster
        end = time.monotonic() + float(query["timeoutSeconds"])
        marks = query.get("allowWatchBookmarks") == "true"
        while time.monotonic() < end:
            with c.lock:
                if not me["do"] and c.version == rv:
                    c.lock.wait(min(0.5, max(0, end - time.monotonic())))
                do = me["do"]
                news = [e for e in c.log if e[0] > rv]
                rv = c.version
            for _, k, before, after in news:
                if k == kind and (after or before)["metadata"]["namespace"] == ns:
                    self.change(before if before and fits(before) else None,
                                after if after and fits(after) else None, me)
            if do == "bookmark" and marks:
                self.bookmark(kind, version, rv)
                me["do"] = ""
            elif do == "split":
                me["split"], me["do"] = True, ""
            elif do == "close":
                break
            elif do and do != "bookmark":
                return self.told(do, me)
        if marks:
            self.bookmark(kind, version, rv)
        self.wfile.write(b"0\r\n\r\n")
        return None

    def change(self, before, after, me):
        if not before and not after:
            return
        what = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
        text = json.dumps({"type": what, "object": after or before}).encode() + b"\n"
        if not me.get("split"):
            self.chunk(text)
            return
        for b in text:
            self.chunk(bytes([b]))
            self.wfile.flush()


class Control(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def say(self, text="ok"):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self):
        o = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for one in o if isinstance(o, list) else [o]:
            m = one["metadata"]
            m.setdefault("namespace", "default")
            self.server.cluster.change(one["kind"], m["namespace"], m["name"], one)
        self.say()

    def do_GET(self):
        c = self.server.cluster
        path, _, text = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        if path == "/delete":
            for key in [k for k in c.objects if k[2] == query["name"]]:
                c.change(*key, None)
        with c.lock:
            if path == "/bookmark":
                query["do"] = "bookmark"
            if path in ("/bookmark", "/watches"):
                for w in c.watches:
                    w["do"] = query["do"]
            elif path == "/compact":
                c.version += 1
                c.oldest = c.version
                c.snapshots = {}
            elif path == "/set":
                c.modes.update(query)
            c.lock.notify_all()
        if path == "/seen":
            return self.say("".join(s + "\n" for s in c.seen))
        if path == "/watching":
            return self.say(str(len(c.watches)))
        return self.say()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler, cluster, host="127.0.0.1"):
        self.cluster, self.page = cluster, 10 ** 6
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), handler)

    def handle_error(self, request, client_address):
        pass


class Tls(Server):
    def finish_request(self, request, client_address):
        request.settimeout(20)
        time.sleep(float(self.cluster.modes["shake"]))
        super().finish_request(self.context.wrap_socket(request, server_side=True),
                               client_address)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ready-fd", type=int, required=True)
    p.add_argument("--cert", required=True)
    p.add_argument("--key", required=True)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--page", type=int, default=10 ** 6, help="objects of a page, at most")
    args = p.parse_args()
    cluster = Cluster()
    api, control = Tls(Api, cluster, args.host), Server(Control, cluster)
    api.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    api.context.load_cert_chain(args.cert, args.key)
    api.page = args.page
    threading.Thread(target=api.serve_forever, daemon=True).start()
    for s in (api, control):
        host, port = s.server_address[:2]
        os.write(args.ready_fd, (("[%s]:%d\n" if ":" in host else "%s:%d\n")
                                 % (host, port)).encode())
    os.close(args.ready_fd)
    control.serve_forever()


main()

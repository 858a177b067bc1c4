"""Serves a folder over HTTP with byte ranges: range_server.py FOLDER PORT_FILE LOG_FILE."""

import http.server
import os
import sys
import threading
import time

folder, port_file, log_file = sys.argv[1:]


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        path = os.path.join(folder, os.path.basename(self.path))
        if not os.path.isfile(path):
            return self.send_error(404)
        with open(path, "rb") as file:
            data = file.read()
        wanted = self.headers.get("Range")
        with open(log_file, "a") as log:
            log.write(f"{os.path.basename(path)} {wanted}\n")
        # Names with "plain" are served as by a server that knows no ranges.
        start = int(wanted.split("=")[1].split("-")[0]) if wanted and "plain" not in path else 0
        if start and start >= len(data):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:])

    def log_message(self, *arguments):
        pass


def end_with(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open(port_file + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(port_file + ".new", port_file)
server.serve_forever()

"""nginx: its own parser of heads and bodies, and a program behind it by SCGI, which is told what it found."""

from pathlib import Path

from support.ports import free_port, is_listening
from support.programs import Program

from .process import PROGRAMS, OriginProcess, installed, python_module, is_root

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      scgi_pass 127.0.0.1:{scgi};
      scgi_param REQUEST_METHOD $request_method;
      scgi_param REQUEST_URI $request_uri;
      scgi_param CONTENT_LENGTH $content_length;
    }}
  }}
}}
"""


class Nginx(OriginProcess):
    """Its defaults decide which fields are passed on: those with underscores are not."""

    def __init__(self, name: str, folder: Path):
        self.scgi = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.application = Program(
            python_module(str(PROGRAMS / "scgi_program.py"), str(self.scgi)), folder, "scgi",
            environment={"JOURNAL": str(folder / "journal")})
        try:
            self.application.wait_until_ready(lambda: is_listening(self.scgi))
            super().__init__(name, folder)
        except BaseException:
            self.application.kill()
            raise

    def command(self, folder: Path) -> list[str]:
        file = folder / "nginx.conf"
        file.write_text(CONFIGURATION.format(user="user root;" if is_root() else "", folder=folder, port=self.port,
                                             scgi=self.scgi))
        return [installed("nginx"), "-c", str(file), "-p", str(folder), "-e", str(folder / "error.log")]

    def stop(self) -> None:
        super().stop()
        self.application.process.terminate()
        self.application.wait_for_end()

// Writes down what Node's parser says that it read.
const fs = require("fs");
const http = require("http");

const journal = fs.openSync(process.env.JOURNAL, "a");

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("error", () => {}); // not read whole
  request.on("end", () => {
    const fields = [];
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      fields.push([request.rawHeaders[index], request.rawHeaders[index + 1]]);
    }
    const line = JSON.stringify({
      method: request.method, target: request.url, fields, body: Buffer.concat(pieces).toString("hex"),
    });
    fs.writeSync(journal, Buffer.from(line + "\n", "latin1"));
    response.setHeader("Content-Length", 0);
    response.end();
  });
});
server.keepAliveTimeout = 20000;
server.listen(Number(process.argv[2]), "127.0.0.1", 1024);

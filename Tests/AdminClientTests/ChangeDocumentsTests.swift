import Foundation
import Resources
import Testing

@testable import AdminClient

@Suite("Files that are applied")
struct ChangeDocumentsTests {
  private static let certificate = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
  private static let key = "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"

  /// Runs `body` with a folder that holds these files.
  private func withFiles(_ files: [String: String], _ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, text) in files {
      let file = folder.appending(path: name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    try await body(folder.path(percentEncoded: false))
  }

  private func message(_ paths: [String]) -> String? {
    do throws(ClientFailure) {
      _ = try ChangeDocuments.read(paths)
      return nil
    } catch {
      return error.description
    }
  }

  @Test func directoryIsReadByNameWithoutFoldersAndHiddenFiles() async throws {
    try await withFiles([
      "b.json": #"{"services": [{"name": "b", "endpoints": ["h:1"]}]}"#,
      "a.yaml": "routes: [{name: a, service: b}]",
      ".hidden.yaml": "nope: [", "notes.txt": "nope: [", "deeper/c.yaml": "nope: [",
      "c.yml": "operations: [{op: delete, kind: routes, name: c, ifMatch: \"*\"}]\nmessage: why",
    ]) { folder in
      let documents = try ChangeDocuments.read([folder])
      #expect(documents.changes.map(\.id.description) == ["routes/a", "services/b", "routes/c"])
      #expect(documents.changes[2].condition == .exists)
      #expect(documents.message == "why")
      #expect(documents.place(of: ResourceID(.routes, "a"))?.hasSuffix("/a.yaml:1:10") == true)
      #expect(
        documents.deletions.map(\.id.description) == ["routes/c", "routes/a", "services/b"],
        "what refers to others goes first")
    }
  }

  @Test func pathsOfCertificatesBecomeTheirText() async throws {
    let yaml = """
      certificates:
        - {name: relative, certificate: tls/shop.pem, key: tls/shop.key, hosts: [shop.example]}
        - name: text
          certificate: |
            -----BEGIN CERTIFICATE-----
            eA==
            -----END CERTIFICATE-----
      """
    try await withFiles([
      "shop.yaml": yaml, "tls/shop.pem": "a comment\n" + Self.certificate, "tls/shop.key": Self.key,
    ]) { folder in
      let changes = try ChangeDocuments.read([folder + "/shop.yaml"]).changes
      guard case .put(let first) = changes[0].action, case .put(let second) = changes[1].action else {
        Issue.record("\(changes)")
        return
      }
      #expect(first["certificate"]?.text == Self.certificate)
      #expect(first["key"]?.text == Self.key)
      #expect(first["hosts"]?.items.first?.text == "shop.example")
      #expect(second["certificate"]?.text?.contains("eA==") == true)
      #expect(second["key"] == nil)
      // For a deletion, they need not be there.
      _ = try ChangeDocuments.read([folder + "/shop.yaml"], readsCertificates: false)
    }
  }

  @Test func everyMistakeHasItsPlace() async throws {
    try await withFiles([
      "syntax.yaml": "routes: [{name: a",
      "twice.yaml": "services: [{name: s}]\nroutes: [{name: r}, {nam: x}]",
      "again.yaml": "services:\n  - name: s",
      "pem.yaml": "certificates: [{name: c, certificate: gone.pem, key: notes.txt}]",
      "text.yaml": "certificates: [{name: d, certificate: notes.txt}]", "notes.txt": "nothing",
      "settings.yaml": "http: {}\nservices: [{name: z}]", "empty.json": "{}",
    ]) { folder in
      let text = try #require(
        message(
          ["again", "twice", "pem", "text", "settings", "syntax"].map { "\(folder)/\($0).yaml" }
            + ["\(folder)/empty.json"]))
      #expect(text.contains("\(folder)/syntax.yaml:2:1: not YAML: "), "\(text)")
      #expect(text.contains("\(folder)/twice.yaml:2:21: routes[1]: \"name\" is missing"), "\(text)")
      #expect(
        text.contains(
          "\(folder)/pem.yaml:1:39: certificates/c: certificate: \(folder)/gone.pem: No such file"),
        "\(text)")
      #expect(text.contains("notes.txt is not a PEM file"), "\(text)")
      #expect(text.contains("\(folder)/settings.yaml:1:7: http: settings of the process"), "\(text)")
      #expect(text.contains("\(folder)/empty.json:1:1: "), "\(text)")
    }
  }

  @Test func resourceInTwoFilesIsAMistake() async throws {
    try await withFiles(["a.yaml": "services: [{name: s}]", "b.yaml": "services:\n  - name: s"]) { folder in
      #expect(
        message([folder]) == "\(folder)/b.yaml:2:5: services/s is already in \(folder)/a.yaml:1:12")
    }
  }

  @Test func missingFilesAndEmptyFoldersAreNamed() async throws {
    try await withFiles(["x.txt": ""]) { folder in
      #expect(message([folder + "/none.yaml"]) == "\(folder)/none.yaml: No such file or directory")
      #expect(message([folder])?.contains("no file that ends in .yaml") == true)
    }
  }

  @Test func refusalsOfTheGatewayHaveTheirPlaceInTheFiles() async throws {
    try await withFiles([
      "a.yaml": "services:\n  - name: s\n    endpoints: [\"h:1\"]\n    timeouts: {connect: 3}\n",
      "b.yaml": "routes:\n  - {name: r, service: t}\n",
    ]) { folder in
      let documents = try ChangeDocuments.read([folder])
      let problem = ProblemReport(
        status: 422, kind: "invalid-resource", title: "t", detail: "d",
        mistakes: [
          .init(id: ResourceID(.services, "s"), operation: 0, field: "timeouts.connect", message: "no unit"),
          .init(operation: 1, field: "backends[0].service", message: "no service", hint: "s?"),
          .init(id: ResourceID(.services, "s"), field: "missing.field", message: "missing"),
          .init(message: "somewhere"),
        ])
      #expect(
        documents.located(problem) == """
          \(folder)/a.yaml:4:25: services/s: timeouts.connect: no unit
          \(folder)/b.yaml:2:24: backends[0].service: no service: s?
          \(folder)/a.yaml:2:5: services/s: missing.field: missing
          somewhere
          """)
    }
  }

  @Test(arguments: [
    ("127.0.0.1:9900", "http://127.0.0.1:9900"), ("http://gateway", "http://gateway:9900"),
    ("http://[::1]:80/", "http://[::1]:80"), ("localhost", "http://localhost:9900"),
  ])
  func addressesHaveShortForms(text: String, whole: String) throws {
    #expect(try AdminAddress(text).description == whole)
  }

  @Test(arguments: [
    "https://gateway", "http://gateway/path", "http://", "ftp://x", "http://x:0", "http://u@x", "", "a b",
  ])
  func wrongAddressesAreRefused(text: String) {
    #expect(throws: ClientFailure.self) { try AdminAddress(text) }
  }

  @Test func tokenComesFromTheNearestPlace() async throws {
    try await withFiles(["token": "from-the-file\n", "bad": "two\nlines\n", "none": "\n"]) { folder in
      let read = { (text: String?, file: String?) throws(ClientFailure) -> String? in
        try AdminTokenText.read(
          text: text, file: file.map { "\(folder)/\($0)" }, environment: "from-environment")
      }
      let option = try read("from-option", nil)
      #expect(option == "from-option")
      let file = try read(nil, "token")
      #expect(file == "from-the-file")
      let environment = try read(nil, nil)
      #expect(environment == "from-environment")
      let nowhere = try AdminTokenText.read(text: nil, file: nil, environment: "")
      #expect(nowhere == nil)
      for file in ["bad", "none", "missing"] {
        let result = Result { () throws(ClientFailure) in try read(nil, file) }
        guard case .failure(let failure) = result else {
          Issue.record("\(file) was taken")
          return
        }
        #expect(!failure.description.contains("two"))
      }
    }
  }
}

import Foundation
import TLS

/// A certification authority of the tests, made with the openssl command.
struct Authority {
  enum Key: String, CaseIterable {
    case p256 = "ec_paramgen_curve:P-256"
    case p384 = "ec_paramgen_curve:P-384"
    case rsa = "rsa_keygen_bits:2048"
    case smallRSA = "rsa_keygen_bits:1024"
    case ed25519 = ""

    fileprivate var arguments: [String] {
      switch self {
      case .p256, .p384: ["-algorithm", "EC", "-pkeyopt", rawValue]
      case .rsa, .smallRSA: ["-algorithm", "RSA", "-pkeyopt", rawValue]
      case .ed25519: ["-algorithm", "ED25519"]
      }
    }
  }

  struct Files {
    let chain: [UInt8]
    let key: [UInt8]
    let directory: URL
    var chainPath: String { directory.appending(path: "chain.pem").path() }
    var keyPath: String { directory.appending(path: "key.pem").path() }
  }

  let directory: URL
  let pem: [UInt8]

  /// Made once; tests that revoke certificates make their own.
  static let shared = Authority("Test Authority")
  static let other = Authority("Other Authority")

  init(_ name: String) {
    directory = Self.makeDirectory()
    let key = directory.appending(path: "ca.key").path()
    let certificate = directory.appending(path: "ca.pem").path()
    Self.openssl(["genpkey"] + Key.p256.arguments + ["-out", key])
    Self.openssl([
      "req", "-new", "-x509", "-key", key, "-days", "30", "-subj", "/O=Tests/CN=\(name)", "-out", certificate,
    ])
    pem = Self.read(certificate)
    _ = FileManager.default.createFile(
      atPath: directory.appending(path: "index.txt").path(), contents: Data())
    _ = FileManager.default.createFile(
      atPath: directory.appending(path: "crlnumber").path(), contents: Data("01\n".utf8))
    try! """
    [ca]
    default_ca = main
    [main]
    database = \(directory.path())/index.txt
    crlnumber = \(directory.path())/crlnumber
    default_md = sha256
    default_crl_days = 10
    """.write(to: directory.appending(path: "ca.cnf"), atomically: true, encoding: .utf8)
  }

  private static func makeDirectory() -> URL {
    let url = FileManager.default.temporaryDirectory.appending(path: "tls-tests-\(UUID().uuidString)/")
    try! FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url
  }

  /// Runs the openssl command; what it prints.
  @discardableResult
  static func openssl(_ arguments: [String], mayFail: Bool = false) -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = mayFail ? output : FileHandle.nullDevice
    try! process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    precondition(mayFail || process.terminationStatus == 0, "openssl \(arguments) failed")
    return String(decoding: data, as: UTF8.self)
  }

  static func read(_ path: String) -> [UInt8] { Array(FileManager.default.contents(atPath: path)!) }

  /// Issues a certificate with `names` as they are written in OpenSSL's configuration: `DNS:a.example`.
  func issue(
    _ names: [String], key: Key = .p256, subject: String = "/CN=leaf", days: Int = 30,
    encryptedKey: Bool = false, digest: String = "sha256"
  ) -> Files {
    let folder = Self.makeDirectory()
    let keyPath = folder.appending(path: "key.pem").path()
    let encryption = encryptedKey ? ["-aes256", "-pass", "pass:secret"] : []
    Self.openssl(["genpkey"] + key.arguments + ["-out", keyPath] + encryption)
    let request = folder.appending(path: "request.pem").path()
    let pass = encryptedKey ? ["-passin", "pass:secret"] : []
    Self.openssl(["req", "-new", "-utf8", "-key", keyPath, "-subj", subject, "-out", request] + pass)
    let extensions = folder.appending(path: "extensions").path()
    let text =
      names.isEmpty ? "basicConstraints=CA:FALSE\n" : "subjectAltName=\(names.joined(separator: ","))\n"
    _ = FileManager.default.createFile(atPath: extensions, contents: Data(text.utf8))
    let chain = folder.appending(path: "chain.pem").path()
    Self.openssl([
      "x509", "-req", "-in", request, "-CA", directory.appending(path: "ca.pem").path(), "-CAkey",
      directory.appending(path: "ca.key").path(), "-set_serial", "\(UInt64.random(in: 1...(.max >> 1)))",
      "-days", "\(days)", "-extfile", extensions, "-\(digest)",
      "-out", chain,
    ])
    return Files(chain: Self.read(chain), key: Self.read(keyPath), directory: folder)
  }

  func certificate(_ name: String, _ hosts: [String], key: Key = .p256, ocsp: [UInt8]? = nil) throws
    -> TLSCertificate
  {
    let files = issue(hosts.map { "DNS:\($0)" }, key: key)
    return try TLSCertificate.load(name: name, chainPEM: files.chain, keyPEM: files.key, ocspDER: ocsp)
  }

  /// What the authority answers about a certificate that it may not know.
  func ocspResponse(for files: Files, validity: [String]) -> [UInt8] {
    let ca = directory.appending(path: "ca.pem").path()
    let request = files.directory.appending(path: "request.der").path()
    let response = files.directory.appending(path: "response.der").path()
    Self.openssl(["ocsp", "-issuer", ca, "-cert", files.chainPath, "-reqout", request])
    Self.openssl(
      [
        "ocsp", "-index", directory.appending(path: "index.txt").path(), "-CA", ca, "-rsigner", ca, "-rkey",
        directory.appending(path: "ca.key").path(), "-reqin", request, "-respout", response,
      ] + validity)
    return Self.read(response)
  }

  /// The list of revoked certificates, with `revoked` in it.
  func revocationList(revoking revoked: [Files]) -> [UInt8] {
    let configuration = directory.appending(path: "ca.cnf").path()
    let authority = [
      "-config", configuration, "-keyfile", directory.appending(path: "ca.key").path(), "-cert",
      directory.appending(path: "ca.pem").path(),
    ]
    for files in revoked { Self.openssl(["ca"] + authority + ["-revoke", files.chainPath]) }
    let list = directory.appending(path: "crl.pem").path()
    Self.openssl(["ca"] + authority + ["-gencrl", "-out", list])
    return Self.read(list)
  }

  func trust() throws -> TLSTrust { try TLSTrust.load(pem: pem) }
}

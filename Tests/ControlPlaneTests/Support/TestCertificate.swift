import Foundation
import Testing

/// Certificates made by the openssl program, self-signed: each is its own authority.
enum TestCertificate {
  enum Key: String {
    case ecdsa, rsa

    var arguments: [String] {
      switch self {
      case .ecdsa: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
      case .rsa: ["-newkey", "rsa:2048"]
      }
    }
  }

  /// Writes `name.pem` and `name.key`.
  ///
  /// - Parameter hosts: its names; none: it has no subjectAltName.
  static func write(
    _ name: String, hosts: [String], key: Key = .ecdsa, days: Int = 365, in folder: TestFolder
  ) throws {
    var arguments =
      ["req", "-x509", "-nodes", "-days", "\(days)", "-subj", "/CN=test"]
      + ["-keyout", folder.path(name + ".key"), "-out", folder.path(name + ".pem")] + key.arguments
    if !hosts.isEmpty {
      arguments += ["-addext", "subjectAltName=" + hosts.map { "DNS:\($0)" }.joined(separator: ",")]
    }
    try run(arguments)
  }

  /// The same, of a certificate that ended yesterday.
  static func writeExpired(_ name: String, hosts: [String], in folder: TestFolder) throws {
    try write(name, hosts: hosts, in: folder)
    try run([
      "x509", "-in", folder.path(name + ".pem"), "-signkey", folder.path(name + ".key"), "-days", "-1",
      "-out", folder.path(name + ".old"),
    ])
    try folder.rename(name + ".old", to: name + ".pem")
  }

  private static func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "openssl has failed: install Debian's openssl")
  }
}

extension TestFolder {
  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
  }
}

import Foundation

/// Where a gateway's admin API is: `http://127.0.0.1:9900`.
///
/// Plain HTTP only: the API is on a loopback address, or at the end of a tunnel (`ssh -L`) that keeps
/// the token from the network.
public struct AdminAddress: Sendable, Equatable, CustomStringConvertible {
  public static let portDefault = 9_900
  /// That of the configuration in the documentation.
  public static let local = AdminAddress(host: "127.0.0.1", port: portDefault)

  /// A name or an IP address, IPv6 without brackets.
  public var host: String
  public var port: Int

  init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// - Parameter text: a URL, or only `HOST:PORT`; without a port, 9900.
  public init(_ text: String) throws(ClientFailure) {
    guard !text.hasPrefix("https://") else {
      throw .usage("\(text): the admin API speaks plain HTTP: use http://, over loopback or a tunnel")
    }
    let url = text.contains("://") ? text : "http://" + text
    guard let parts = URLComponents(string: url), parts.scheme == "http", let host = parts.host,
      !host.isEmpty,
      ["", "/"].contains(parts.path), parts.query == nil, parts.fragment == nil, parts.user == nil
    else { throw .usage("\(text) is not an admin address: such as \(Self.local.description)") }
    let port = parts.port ?? Self.portDefault
    guard (1...65_535).contains(port) else { throw .usage("\(text): ports are from 1 to 65535") }
    self.init(host: host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host, port: port)
  }

  /// As a request's `Host` has it.
  var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

  public var description: String { "http://" + authority }
}

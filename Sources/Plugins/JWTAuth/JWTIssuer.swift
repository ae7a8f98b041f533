import Resources
import Runtime
import Synchronization
import TLS

/// Who makes tokens that are not a consumer's, and the keys that it signs them with.
struct JWTIssuer: Sendable {
  enum Source: Sendable {
    case fixed(KeySet)
    case file(FollowedFile<KeySet>)
    case url(FollowedURL<KeySet>)
  }

  static let options: [PluginOption] = [
    .required("issuer", .text("an issuer"), "What the claim iss of its tokens says."),
    PluginOption(
      "audiences", .list(.text("an audience"), maximum: 32), default: .list([]),
      "One of these has to be in the claim aud; where none is given, the claim is not looked at."),
    PluginOption(
      "algorithms", .list(.choice(JWTAlgorithm.ofKeys), maximum: 16),
      "Algorithms that its tokens may be signed with; where this is left out, all that go with its keys."),
    PluginOption(
      "consumerClaim", .text("a claim's name"),
      "The claim that names the consumer who calls; where this is left out, nobody is known by name."),
    .required(
      "jwks", .object(jwks), "Its keys, as a JSON Web Key Set (RFC 7517 §5): one of url, file and inline."),
  ]

  private static let jwks: [PluginOption] = [
    PluginOption("url", .text("a URL"), "Where they are fetched from, by https or http."),
    PluginOption("file", .file("a file with a JSON Web Key Set"), "The file that they are in."),
    PluginOption("inline", .content(bytesMax: KeySet.bytesMax), "The set itself, as JSON."),
    PluginOption(
      "refresh", .duration(.seconds(10)...(.seconds(7 * 86_400))), default: .duration(.seconds(600)),
      "For url: the time after which they are fetched again."),
    PluginOption(
      "timeout", .duration(.milliseconds(100)...(.seconds(60))), default: .duration(.seconds(5)),
      "For url: how long fetching may take."),
    PluginOption(
      "pause", .duration(.milliseconds(100)...(.seconds(3_600))), default: .duration(.seconds(10)),
      "For url: the least time before they are fetched again, after a failure or for the sake of an unknown key."
    ),
    PluginOption(
      "ca", .file("a file with certificates"),
      "For url: certificates that the server's is verified with; where this is left out, the system's."),
  ]

  let name: [UInt8]
  let audiences: [[UInt8]]
  /// Nil: all.
  let algorithms: [JWTAlgorithm]?
  let consumerClaim: [UInt8]?
  let source: Source

  /// - path: Of its options.
  init(_ values: OptionValues, at path: String) throws(OptionProblem) {
    name = Array((values.text("issuer") ?? "").utf8)
    audiences = values.texts("audiences").map { Array($0.utf8) }
    algorithms =
      values.isGiven("algorithms") ? values.texts("algorithms").compactMap { JWTAlgorithm($0) } : nil
    consumerClaim = values.text("consumerClaim").map { Array($0.utf8) }
    guard let jwks = values.object("jwks") else { throw OptionProblem(path + ".jwks", "it is missing") }
    do throws(OptionProblem) {
      source = try Self.source(jwks)
    } catch {
      throw OptionProblem(
        path + ".jwks" + (error.path.isEmpty ? "" : "." + error.path), error.message, hint: error.hint)
    }
  }

  private static func source(_ values: OptionValues) throws(OptionProblem) -> Source {
    switch (values.text("url"), values.text("file"), values.text("inline")) {
    case (let url?, nil, nil):
      return .url(try FollowedKeySets.url(try FetchAddress(url, option: "url"), values))
    case (nil, let file?, nil):
      return .file(
        try FollowedFile(file, option: "file", bytesMax: KeySet.bytesMax) { bytes throws(FileProblem) in
          try KeySet.read(bytes)
        })
    case (nil, nil, let text?):
      do throws(FileProblem) {
        return .fixed(try KeySet.read(Array(text.utf8)))
      } catch {
        throw OptionProblem("inline", error.message, hint: error.hint)
      }
    default:
      throw OptionProblem("", "one of url, file and inline is needed", hint: "such as {url: \"https://…\"}")
    }
  }
}

/// Key sets that are fetched, each once for the process: a change of other settings fetches none anew, and forgets
/// none that a server no longer gives.
private enum FollowedKeySets {
  private struct Key: Hashable {
    var address: FetchAddress
    var refresh: Duration
    var timeout: Duration
    var pause: Duration
    var certificates: [UInt8]
  }

  private struct Held {
    weak var set: FollowedURL<KeySet>?
  }

  private static let held = Mutex<[Key: Held]>([:])

  static func url(_ address: FetchAddress, _ values: OptionValues) throws(OptionProblem) -> FollowedURL<
    KeySet
  > {
    var trust: TLSTrust?
    var certificates: [UInt8] = []
    if let path = values.text("ca") {
      do throws(SystemError) {
        certificates = try FileContent.read(path)
      } catch {
        throw OptionProblem("ca", "cannot read \(path): \(error)")
      }
      do throws(CertificateError) {
        trust = try TLSTrust.load(pem: certificates)
      } catch {
        throw OptionProblem("ca", "\(path): \(error.description)")
      }
    }
    let key = Key(
      address: address, refresh: values.duration("refresh") ?? .seconds(600),
      timeout: values.duration("timeout") ?? .seconds(5), pause: values.duration("pause") ?? .seconds(10),
      certificates: SHA256.digest(of: certificates))
    return held.withLock { held in
      if let known = held[key]?.set { return known }
      held = held.filter { $0.value.set != nil }
      let new = FollowedURL<KeySet>(
        address, trust: trust, refresh: key.refresh, timeout: key.timeout, pause: key.pause,
        bytesMax: KeySet.bytesMax
      ) { bytes throws(FileProblem) in try KeySet.read(bytes) }
      held[key] = Held(set: new)
      return new
    }
  }
}

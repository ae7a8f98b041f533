import Dispatch
import Hummingbird
import NIOCore
import Resources
import Runtime

/// The content of requests: how much is taken, and what it is read as.
enum RequestContent {
  /// A resource: hundreds of hosts and a certificate's chain fit.
  static let resourceBytesMax = 1 << 20
  /// A transaction: ten thousand domains with certificate and key each.
  static let transactionBytesMax = 64 << 20
  /// Questions and instructions.
  static let smallBytesMax = 64 << 10
  /// Above this, parsing would hold up one of the pool's few threads for milliseconds.
  static let inlineBytesMax = 64 << 10

  static let json = "application/json"
  static let yaml = "application/yaml"
  static let mergePatch = "application/merge-patch+json"

  static let documentTypes = [json, yaml]

  /// The whole content.
  ///
  /// - Parameter types: the first is meant where the request says nothing.
  /// - Returns: the content and its type.
  static func read(
    _ call: AdminCall, types: [String], bytesMax: Int
  ) async throws(Problem) -> (bytes: [UInt8], type: String) {
    let type = try RequestFields.mediaType(call.headers) ?? types[0]
    guard types.contains(type) else {
      var problem = Problem(
        .unsupportedMediaType, "The content is \(type); send \(types.joined(separator: " or ")).")
      // RFC 5789 §2.2, RFC 9110 §15.5.16.
      problem.headers[call.request.method == .patch ? .acceptPatch : .accept] = types.joined(separator: ", ")
      throw problem
    }
    let tooLarge = Problem(.bodyTooLarge, "The content has more than \(bytesMax) bytes.")
    let length = call.headers[.contentLength].flatMap { Int($0) }
    if let length, length > bytesMax { throw tooLarge }
    let truncated = Problem(.unreadableBody, "The content ended early, or its framing is broken.")
    var bytes: [UInt8] = []
    do {
      for try await part in call.request.body {
        guard bytes.count + part.readableBytes <= bytesMax else { throw tooLarge }
        bytes.append(contentsOf: part.readableBytesView)
      }
    } catch let problem as Problem {
      throw problem
    } catch {
      throw truncated
    }
    // The server takes a connection that ends for the end of the content.
    if let length, bytes.count != length { throw truncated }
    guard !bytes.isEmpty else { throw Problem(.unreadableBody, "The content is missing.") }
    return (bytes, type)
  }

  /// The content as a document whose keys are not looked at yet.
  static func document(
    _ call: AdminCall, types: [String] = documentTypes, bytesMax: Int
  ) async throws(Problem) -> ResourceBody {
    let (bytes, type) = try await read(call, types: types, bytesMax: bytesMax)
    return try await computing(bytes.count) { () throws(Problem) in
      do throws(ResourceProblem) {
        guard type == yaml else { return try ResourceBody(json: bytes) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
          throw ResourceProblem(nil, "the content is not UTF-8")
        }
        return try ResourceBody(yaml: text)
      } catch {
        throw Problem(.unreadableBody, error.description, errors: [error])
      }
    }
  }

  /// Runs `work` here, or, where it may take long, on a thread that nobody else waits for.
  static func computing<Value: Sendable>(
    _ bytes: Int, _ work: @escaping @Sendable () throws(Problem) -> Value
  ) async throws(Problem) -> Value {
    if bytes <= inlineBytesMax { return try work() }
    let result = await withCheckedContinuation { continuation in
      DispatchQueue.global(qos: .utility).async {
        ControlThreads.giveWay()
        continuation.resume(returning: Result { () throws(Problem) in try work() })
      }
    }
    return try result.get()
  }
}

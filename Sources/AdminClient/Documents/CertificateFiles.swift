import Foundation
import Resources

/// Puts the PEM text of files in the place of their paths.
enum CertificateFiles {
  struct Failure: Error {
    /// `certificate` or `key`.
    var field: String
    var message: String
  }

  /// What the gateway takes: a chain of ten certificates has about 20 KiB.
  static let pemBytesMax = 256 << 10

  /// - Parameter folder: where relative paths begin.
  static func inline(_ body: ResourceBody, folder: String) throws(Failure) -> ResourceBody {
    var texts: [(field: String, text: String)] = []
    for field in ["certificate", "key"] {
      guard let path = body[field]?.text, !isPEM(path) else { continue }
      texts.append((field, try read(path.hasPrefix("/") ? path : "\(folder)/\(path)", field)))
    }
    guard !texts.isEmpty else { return body }
    let patch = JSONWriter.object { writer in
      for (field, text) in texts { writer.member(field, text) }
    }
    do throws(ResourceProblem) {
      return body.merged(with: try ResourceBody(json: patch.bytes))
    } catch {
      throw Failure(field: texts[0].field, message: error.message)
    }
  }

  private static func read(_ path: String, _ field: String) throws(Failure) -> String {
    let bytes: [UInt8]
    do throws(ClientFailure) {
      bytes = try DocumentFiles.bytes(of: path, bytesMax: pemBytesMax)
    } catch {
      throw Failure(field: field, message: error.description)
    }
    // What is no PEM is refused here: its content has no business on the wire or in an error.
    guard let text = String(validating: bytes, as: UTF8.self), let begin = text.range(of: "-----BEGIN") else {
      throw Failure(field: field, message: "\(path) is not a PEM file: it has no -----BEGIN")
    }
    // Files may have comments before the first block; the API takes text that begins with it.
    return String(text[begin.lowerBound...])
  }

  private static func isPEM(_ text: String) -> Bool {
    text.drop(while: \.isWhitespace).hasPrefix("-----BEGIN")
  }
}

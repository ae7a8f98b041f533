import Foundation

/// The texts of the files that a command names.
enum DocumentFiles {
  struct Document: Sendable {
    /// As messages name it.
    var name: String
    /// Where relative paths in it begin.
    var folder: String
    var content: [UInt8]
    var isJSON: Bool
  }

  /// As the readers of documents allow.
  static let bytesMax = 64 << 20
  /// More is a mistake in the path.
  static let filesMax = 100_000
  static let standardInput = "-"

  /// Files as they are; of a directory, what ends in `.yaml`, `.yml` or `.json`, by name, without those
  /// that begin with a dot and without folders in it; `-` is standard input.
  static func read(_ paths: [String]) throws(ClientFailure) -> [Document] {
    var documents: [Document] = []
    for path in paths {
      if path == standardInput {
        let content = try content(of: FileHandle.standardInput, name: "standard input")
        // A JSON text is nearly YAML: its own reader says better what is wrong with it.
        let isJSON = content.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
        documents.append(Document(name: "standard input", folder: ".", content: content, isJSON: isJSON))
      } else if isDirectory(path) {
        for name in try names(in: path) {
          documents.append(try document(path.hasSuffix("/") ? path + name : "\(path)/\(name)"))
        }
      } else {
        documents.append(try document(path))
      }
    }
    return documents
  }

  /// A file that is at most so long.
  static func bytes(of path: String, bytesMax: Int = bytesMax) throws(ClientFailure) -> [UInt8] {
    let handle: FileHandle
    do {
      handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    } catch {
      throw .usage("\(path): \(reason(error))")
    }
    defer { try? handle.close() }
    return try content(of: handle, name: path, bytesMax: bytesMax)
  }

  private static func content(
    of handle: FileHandle, name: String, bytesMax: Int = bytesMax
  ) throws(ClientFailure) -> [UInt8] {
    do {
      let content = try handle.read(upToCount: bytesMax + 1) ?? Data()
      guard content.count <= bytesMax else {
        throw ClientFailure.usage("\(name): more than \(bytesMax) bytes")
      }
      return Array(content)
    } catch let failure as ClientFailure {
      throw failure
    } catch {
      throw .usage("\(name): \(reason(error))")
    }
  }

  private static func document(_ path: String) throws(ClientFailure) -> Document {
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    return Document(
      name: path, folder: folder, content: try bytes(of: path), isJSON: path.lowercased().hasSuffix(".json"))
  }

  private static func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    // Foundation writes into the variable, during the call.
    return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
      && isDirectory.boolValue
  }

  private static func names(in folder: String) throws(ClientFailure) -> [String] {
    let all: [String]
    do {
      all = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw .usage("\(folder): \(reason(error))")
    }
    let names = all.filter { name in
      !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }
    guard !names.isEmpty else {
      throw .usage("\(folder): there is no file that ends in .yaml, .yml or .json")
    }
    guard names.count <= filesMax else { throw .usage("\(folder): more than \(filesMax) files") }
    return names.sorted()
  }

  /// `No such file or directory`.
  private static func reason(_ error: any Error) -> String {
    let error = error as NSError
    let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
    if cause.domain == NSPOSIXErrorDomain {
      return unsafe String(cString: strerror(Int32(cause.code)))  // static text, copied at once
    }
    return cause.code == CocoaError.Code.fileReadNoSuchFile.rawValue
      ? "No such file or directory" : error.localizedDescription
  }
}

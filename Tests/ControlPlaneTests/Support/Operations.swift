import DataPlane
import Foundation
import Resources
import TLS

@testable import ControlPlane

/// Operations as the admin API reads them: `put("routes/shop", …)`.
func put(
  _ path: String, _ json: String, if condition: ResourceOperation.Condition? = nil
) throws -> ResourceOperation {
  let id = try resourceID(path)
  let body = try ResourceBody(json: Array(json.utf8)).named(id)
  return ResourceOperation(id, .put(body), condition: condition)
}

func patch(
  _ path: String, _ json: String, if condition: ResourceOperation.Condition? = nil
) throws -> ResourceOperation {
  try ResourceOperation(
    resourceID(path), .patch(ResourceBody(json: Array(json.utf8))), condition: condition)
}

func delete(_ path: String, if condition: ResourceOperation.Condition? = nil) throws -> ResourceOperation {
  try ResourceOperation(resourceID(path), .delete, condition: condition)
}

/// `routes/shop`.
func resourceID(_ path: String) throws -> ResourceID {
  guard let slash = path.firstIndex(of: "/"), let kind = ResourceKind(rawValue: String(path[..<slash])) else {
    throw NoSuchKind()
  }
  return ResourceID(kind, String(path[path.index(after: slash)...]))
}

struct NoSuchKind: Error {}

/// A certificate's resource with its text, as JSON.
///
/// - Parameter more: further members, such as `,"default":true`.
func certificateJSON(_ chain: String, key: String?, in folder: TestFolder, more: String = "") throws -> String
{
  func text(_ name: String) throws -> String {
    let text = try String(contentsOfFile: folder.path(name), encoding: .utf8)
    return String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
  }
  let keyText = try key.map { ",\"key\":" + (try text($0)) } ?? ""
  return "{\"certificate\":" + (try text(chain)) + keyText + more + "}"
}

extension RunningPlane {
  @discardableResult
  func apply(
    _ operations: ResourceOperation..., isDryRun: Bool = false, waitingAtMost limit: Duration? = nil
  ) async throws(TransactionRefusal) -> TransactionReceipt {
    var transaction = ResourceTransaction(operations, actor: "anna", remote: "192.0.2.7")
    transaction.isDryRun = isDryRun
    return try await control.apply(transaction, waitingAtMost: limit)
  }

  /// Why a transaction changed nothing.
  func refusal(
    _ operations: ResourceOperation..., isDryRun: Bool = false
  ) async throws -> TransactionRefusal {
    var transaction = ResourceTransaction(operations, actor: "anna", remote: "192.0.2.7")
    transaction.isDryRun = isDryRun
    do throws(TransactionRefusal) {
      _ = try await control.apply(transaction, waitingAtMost: nil)
    } catch {
      return error
    }
    throw UnexpectedSuccess()
  }

  func view(_ path: String) async throws -> ResourceView? { await control.resource(try resourceID(path)) }

  func revision(_ path: String) async throws -> UInt64? { try await view(path)?.revision }

  /// All that can be seen of what runs, to compare it with what runs later.
  func picture() async -> [String] {
    var lines = served.lines
    for kind in ResourceKind.allCases {
      for view in await control.page(kind, filter: ResourceFilter(), after: nil, limit: 10_000).items {
        lines.append("\(view.id) \(view.owner) \(view.revision) \(view.json)")
      }
    }
    for name in served.services.values.map(\.service.name).sorted() {
      lines.append("directory: \(name) \(await directory?.endpoints(of: name) ?? [])")
    }
    lines.append("revision \(await control.resourceStatus.revision)")
    lines.append("files and steps \(await control.registry.leftovers)")
    return lines
  }

  var directory: EndpointDirectory? { control.state.withLock { $0.running?.directory } }
}

extension ServedState {
  /// One line for everything that workers have.
  var lines: [String] {
    var lines = listeners.map { number, served in
      "listener \(number) \(served.listener.name) \(served.listener.address) "
        + "\(served.security?.defaultCertificates.map(\.name) ?? [])"
    }
    lines += certificates.values.map { served in
      "certificate \(served.certificate.name) \(served.certificate.hosts) \(served.listeners) "
        + "\(served.certificate.fingerprint)"
    }
    lines += services.map { "service \($0) \(Resource.service($1.service).json) \($1.endpoints)" }
    lines += routes.map { number, entry in
      let json = Resource.route(entry.route).json
      return "route \(number) \(entry.order) \(entry.services) \(entry.listeners) \(json)"
    }
    return lines.sorted()
  }
}

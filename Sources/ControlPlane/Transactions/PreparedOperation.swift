import Plugins
import Resources
import Runtime
import Store
import TLS

/// An operation of a transaction, as far as it can be checked by itself.
struct PreparedOperation: Sendable {
  var id: ResourceID
  var condition: ResourceOperation.Condition?
  /// Nil: the resource is to be deleted.
  var result: PreparedResource?
  /// A merge patch, which ``result`` is made of when its turn comes.
  var patch: ResourceBody?
}

/// A resource with all that is kept of it.
struct PreparedResource: Sendable {
  var resource: Resource
  /// What the store keeps; a certificate's secret is sealed when it is committed.
  var document: String
  /// What was made of a certificate that is in the resource itself.
  var certificate: TLSCertificate?
  /// A certificate without its key: that of the same certificate is used, where it is there.
  var lacksKey = false
  /// Brought back from the history or the store.
  var stored: StoredVersion?
}

/// Reads and checks what can be looked at without the other resources.
///
/// From any thread but a worker's; reading a certificate takes a fifth of a millisecond or so.
struct OperationReader: Sendable {
  /// Where relative paths in resources of the store begin.
  var folder: String

  func prepare(_ operation: ResourceOperation) throws(ResourceProblems) -> PreparedOperation {
    switch operation.action {
    case .delete:
      return PreparedOperation(id: operation.id, condition: operation.condition)
    case .patch(var patch):
      if operation.id.kind == .consumers {
        patch = try patch.keepingCredentials(of: operation.id, folder: folder, plugins: .standard)
      }
      return PreparedOperation(id: operation.id, condition: operation.condition, patch: patch)
    case .put(let body):
      let result = try read(operation.id, body)
      return PreparedOperation(id: operation.id, condition: operation.condition, result: result)
    }
  }

  func read(_ id: ResourceID, _ body: ResourceBody) throws(ResourceProblems) -> PreparedResource {
    let resource = try ResourceReader.read(id, body, folder: folder, plugins: .standard)
    // Of credentials only what has to be kept is.
    if case .consumer = resource { return PreparedResource(resource: resource, document: resource.json) }
    guard case .certificate(var spec) = resource, let pem = spec.pem else {
      return PreparedResource(resource: resource, document: body.json)
    }
    spec.pem = nil
    let document = body.removing(["certificate", "key"]).json
    if pem.key.isEmpty {
      spec.contentHash = ContentHash.of(pem.chain)
      return PreparedResource(resource: .certificate(spec), document: document, lacksKey: true)
    }
    let certificate = try load(spec, pem)
    spec.contentHash = certificate.contentHash
    return PreparedResource(resource: .certificate(spec), document: document, certificate: certificate)
  }

  private func load(_ spec: CertificateSpec, _ pem: CertificatePEM) throws(ResourceProblems) -> TLSCertificate
  {
    let id = ResourceID(.certificates, spec.name)
    let certificate: TLSCertificate
    do throws(CertificateError) {
      certificate = try TLSCertificate.load(
        name: spec.name, chainPEM: pem.chain, keyPEM: pem.key, hosts: spec.hosts.isEmpty ? nil : spec.hosts)
    } catch {
      throw ResourceProblems(ResourceProblem(id, field: "certificate", error.description))
    }
    guard certificate.notAfter > WallClock.unixSeconds() else {
      throw ResourceProblems(
        ResourceProblem(
          id, field: "certificate", "the certificate expired at \(WallClock.text(certificate.notAfter))",
          hint: "send one that is valid"))
    }
    return certificate
  }
}

/// Prepares many operations on all cores.
enum OperationPreparation {
  /// Fewer are not worth another task.
  private static let chunk = 64

  /// In the order of the operations; where any of them is wrong, everything that is.
  static func prepare(
    _ operations: [ResourceOperation], with reader: OperationReader
  ) async throws(TransactionRefusal) -> [PreparedOperation] {
    var prepared: [PreparedOperation?] = []
    var problems: [ResourceProblem] = []
    if operations.count <= chunk {
      take(results(operations[...], reader), &prepared, &problems)
    } else {
      let chunks = stride(from: 0, to: operations.count, by: chunk).map {
        operations[$0..<min($0 + chunk, operations.count)]
      }
      let results = await withTaskGroup(of: (Int, [Outcome]).self) { group in
        for (index, slice) in chunks.enumerated() {
          group.addTask { (index, Self.results(slice, reader)) }
        }
        return await group.reduce(into: [[Outcome]](repeating: [], count: chunks.count)) {
          $0[$1.0] = $1.1
        }
      }
      for results in results { take(results, &prepared, &problems) }
    }
    guard problems.isEmpty else { throw TransactionRefusal(.invalid, problems) }
    return prepared.compactMap { $0 }
  }

  private typealias Outcome = Result<PreparedOperation, ResourceProblems>

  private static func results(
    _ operations: ArraySlice<ResourceOperation>, _ reader: OperationReader
  ) -> [Outcome] {
    ControlThreads.giveWay()
    return operations.map { operation in
      do throws(ResourceProblems) {
        return .success(try reader.prepare(operation))
      } catch {
        return .failure(error)
      }
    }
  }

  private static func take(
    _ results: [Outcome], _ prepared: inout [PreparedOperation?], _ problems: inout [ResourceProblem]
  ) {
    for result in results {
      switch result {
      case .success(let operation): prepared.append(operation)
      case .failure(let error):
        let index = prepared.count
        prepared.append(nil)
        guard problems.count < ResourceProblems.countMax else { continue }
        problems += error.problems.map { problem in
          var problem = problem
          problem.operation = index
          return problem
        }
      }
    }
  }
}

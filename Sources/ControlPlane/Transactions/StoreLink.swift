import Plugins
import Resources
import Runtime
import Store
import TLS

/// The embedded store, with what is needed to read and write its contents.
struct StoreLink: Sendable {
  let store: ResourceStore
  let certificates: StoredCertificates
  let reader: OperationReader
  /// Why nothing may be written now; nil: it may.
  var frozen: String?

  /// Opens the store as its writer; where another process is about to hand it over, for reading.
  ///
  /// - Parameter folder: where relative paths in its resources begin.
  init(_ settings: StoreSettings, isHandedOver: Bool) throws(ConfigurationSourceError) {
    var key: SealingKey?
    if let source = settings.key {
      key = try Self.key(source)
    }
    certificates = StoredCertificates(key: key)
    let slash = settings.path.lastIndex(of: "/")
    reader = OperationReader(folder: slash.map { String(settings.path[..<$0]) } ?? "")
    do throws(StoreError) {
      if isHandedOver {
        store = try Self.openHandedOver(settings)
        frozen = store.isWriter ? nil : "the process before this one is about to hand the store over"
      } else {
        store = try ResourceStore(path: settings.path, historyMax: settings.history)
      }
    } catch {
      throw .store(error.description)
    }
  }

  private static func key(_ source: SecretSource) throws(ConfigurationSourceError) -> SealingKey {
    let text: [UInt8]
    do throws(SecretError) {
      text = try source.read()
    } catch {
      throw .store("the key of the store: \(error.description)")
    }
    do throws(SealingError) {
      return try SealingKey(text: text)
    } catch {
      throw .store("the key of the store: \(error.description)")
    }
  }

  private static func openHandedOver(_ settings: StoreSettings) throws(StoreError) -> ResourceStore {
    do throws(StoreError) {
      return try ResourceStore.openForReading(path: settings.path, historyMax: settings.history)
    } catch {
      guard error.reason == .missing else { throw error }
      return try ResourceStore(path: settings.path, historyMax: settings.history)
    }
  }

  /// What the store holds of one resource, ready to be put in place.
  func prepare(_ id: ResourceID, _ version: StoredVersion) throws(ResourceProblems) -> PreparedOperation {
    var body: ResourceBody
    let certificate: TLSCertificate?
    do throws(ResourceProblem) {
      body = try ResourceBody(json: Array(version.content.document.utf8))
      certificate = id.kind == .certificates ? try certificates.certificate(id.name, version.content) : nil
    } catch {
      throw ResourceProblems(error)
    }
    // The document is without it; the reader only looks whether there is one.
    if certificate != nil { body = body.adding("certificate", "-----BEGIN CERTIFICATE-----") }
    var resource = try ResourceReader.read(id, body, folder: reader.folder, plugins: .standard)
    if let certificate, case .certificate(var spec) = resource {
      spec.pem = nil
      spec.contentHash = certificate.contentHash
      resource = .certificate(spec)
    }
    return PreparedOperation(
      id: id,
      result: PreparedResource(
        resource: resource, document: version.content.document, certificate: certificate, stored: version))
  }
}

/// A number that differs between differing texts of certificates; it holds within this process only.
enum ContentHash {
  /// White space does not count.
  static func of(_ chainPEM: [UInt8]) -> Int { FileContent.hash(chainPEM.filter { $0 > 0x20 }) }
}

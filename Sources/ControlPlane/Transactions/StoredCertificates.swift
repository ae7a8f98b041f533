import Resources
import Store
import TLS

/// Certificates as the store keeps them: what is public read already, the key sealed.
struct StoredCertificates: Sendable {
  /// Nil where none is configured.
  var key: SealingKey?

  /// What ``SealingKey`` authenticates with a key: it is of no use under another name.
  private static func context(_ name: String) -> [UInt8] { Array("certificates/\(name)".utf8) }

  func content(_ document: String, _ certificate: TLSCertificate?) throws(ResourceProblem) -> StoredContent {
    guard let certificate else { return StoredContent(document: document) }
    guard let key else {
      throw ResourceProblem(
        ResourceID(.certificates, certificate.name), field: "key",
        "private keys are stored encrypted, and no key to encrypt them with is configured",
        hint: "write store: {key: {file: store.key}} in the configuration file, and make the file with "
          + "openssl rand -hex 32")
    }
    let archived = certificate.archived
    return StoredContent(
      document: document, material: archived.material,
      secret: key.seal(archived.secret, context: Self.context(certificate.name)))
  }

  /// - Returns: nil where the content is that of no certificate with a text of its own.
  func certificate(_ name: String, _ content: StoredContent) throws(ResourceProblem) -> TLSCertificate? {
    guard let material = content.material, let sealed = content.secret else { return nil }
    let id = ResourceID(.certificates, name)
    guard let key else {
      throw ResourceProblem(
        id, field: "key", "its private key is encrypted, and no key to decrypt it with is configured",
        hint: "write store: {key: …} in the configuration file, with the key that it was stored with")
    }
    let secret: SecretBytes
    do throws(SealingError) {
      secret = try key.open(sealed, context: Self.context(name))
    } catch {
      throw ResourceProblem(id, field: "key", error.description)
    }
    do throws(CertificateError) {
      return try TLSCertificate(name: name, archived: material, secret: secret)
    } catch {
      throw ResourceProblem(id, field: "certificate", error.description)
    }
  }
}

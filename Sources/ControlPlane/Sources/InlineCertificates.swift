import Resources
import TLS

extension FileSource.Change {
  /// Reads the certificates that are in the files themselves, so that no resource holds a key from here
  /// on.
  mutating func readInlineCertificates() throws(ResourceProblems) {
    var problems: [ResourceProblem] = []
    for batch in batches.indices {
      for index in batches[batch].puts.indices {
        guard case .certificate(var spec) = batches[batch].puts[index].resource, let pem = spec.pem
        else { continue }
        if pem.key.isEmpty {
          problems.append(
            ResourceProblem(ResourceID(.certificates, spec.name), field: "key", "\"key\" is missing"))
          continue
        }
        do throws(CertificateError) {
          let certificate = try TLSCertificate.load(
            name: spec.name, chainPEM: pem.chain, keyPEM: pem.key,
            hosts: spec.hosts.isEmpty ? nil : spec.hosts)
          spec.contentHash = certificate.contentHash
          inline[spec.name] = certificate
        } catch {
          problems.append(
            ResourceProblem(ResourceID(.certificates, spec.name), field: "certificate", error.description))
        }
        spec.pem = nil
        batches[batch].puts[index].resource = .certificate(spec)
      }
    }
    if !problems.isEmpty { throw ResourceProblems(problems) }
  }
}

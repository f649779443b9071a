// A ComfyUI workflow in its API form: nodes by name, each with a class and inputs, where an input is a
// value or a link `["NODE", OUTPUT]` to another node.

import BelfryCore
import FoundationEssentials

struct Workflow: Sendable {
    var nodes: JSONObject

    /// Bytes of a workflow's file at most.
    private static let fileLimit = 4 << 20

    /// Reads a file that ComfyUI's "Export (API)" wrote.
    init(file path: String) throws {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw Self.failure("it cannot be read: \(error)", file: path)
        }
        guard data.count <= Self.fileLimit else {
            throw Self.failure("it is larger than \(Self.fileLimit >> 20) MiB", file: path)
        }
        do { try self.init(JSONValue(parsing: data)) } catch let error as JSONError {
            throw Self.failure("it is not JSON: \(error)", file: path)
        } catch let failure as TaskFailure {
            throw TaskFailure(failure.code, "\(path): \(failure.message)", fix: failure.fix)
        }
    }

    init(_ json: JSONValue) throws {
        if json["nodes"]?.array != nil {
            throw Self.failure("it is in the form for the editor, not in the form for the API", file: nil)
        }
        // Some tools save what they send: the workflow is one level down.
        guard let nodes = (json["prompt"] ?? json).object, !nodes.isEmpty else {
            throw Self.failure("it holds no nodes", file: nil)
        }
        for (name, node) in nodes where node["class_type"]?.string == nil || node["inputs"]?.object == nil {
            throw Self.failure("its node '\(name)' has no class_type or no inputs", file: nil)
        }
        self.nodes = nodes
    }

    private static func failure(_ reason: String, file: String?) -> TaskFailure {
        TaskFailure(
            "bad_workflow",
            (file.map { "\($0): " } ?? "") + "This is no workflow for ComfyUI's API: \(reason).",
            fix: "Save it with 'Export (API)' in ComfyUI's menu."
        )
    }

    /// The common way from a text to a picture.
    static func standard() throws -> Workflow {
        try Workflow([
            "4": ["class_type": "CheckpointLoaderSimple", "inputs": ["ckpt_name": "{{model}}"]],
            "6": ["class_type": "CLIPTextEncode", "inputs": ["text": "{{prompt}}", "clip": ["4", 1]]],
            "7": [
                "class_type": "CLIPTextEncode", "inputs": ["text": "{{negative_prompt}}", "clip": ["4", 1]],
            ],
            "5": [
                "class_type": "EmptyLatentImage",
                "inputs": ["width": "{{width}}", "height": "{{height}}", "batch_size": "{{count}}"],
            ],
            "3": [
                "class_type": "KSampler",
                "inputs": [
                    "seed": "{{seed}}", "steps": "{{steps}}", "cfg": "{{cfg}}", "denoise": 1,
                    "sampler_name": "{{sampler}}", "scheduler": "{{scheduler}}",
                    "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
                ],
            ],
            "8": ["class_type": "VAEDecode", "inputs": ["samples": ["3", 0], "vae": ["4", 2]]],
            "9": ["class_type": "SaveImage", "inputs": ["filename_prefix": "belfry", "images": ["8", 0]]],
        ])
    }

    // MARK: Nodes

    func className(_ node: String) -> String { nodes[node]?["class_type"]?.string ?? "" }

    func input(_ node: String, _ name: String) -> JSONValue? { nodes[node]?["inputs"]?[name] }

    mutating func set(_ node: String, _ name: String, _ value: JSONValue) {
        guard var object = nodes[node]?.object, var inputs = object["inputs"]?.object else { return }
        inputs[name] = value
        object["inputs"] = .object(inputs)
        nodes[node] = .object(object)
    }

    /// The node that an input is linked to.
    func link(_ node: String, _ name: String) -> String? { Self.target(input(node, name)) }

    static func target(_ value: JSONValue?) -> String? {
        guard let pair = value?.array, pair.count == 2, pair[1].int != nil else { return nil }
        return pair[0].string ?? pair[0].int.map(String.init)
    }

    /// The first value, in the order of the file, that is no link in one of these inputs.
    func firstValue(of inputs: [String]) -> JSONValue? {
        for (node, _) in nodes {
            for name in inputs {
                if let value = input(node, name), Self.target(value) == nil { return value }
            }
        }
        return nil
    }
}

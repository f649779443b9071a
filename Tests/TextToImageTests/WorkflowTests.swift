// Where a task's values go in ComfyUI workflows.

import BelfryCore
import Testing

@testable import TextToImage

@Suite("A ComfyUI workflow")
struct WorkflowTests {
    private func values(_ params: JSONObject = [:]) -> WorkflowValues {
        WorkflowValues(
            ImageRequest(prompt: "A \"fox\"", params: .object(params)),
            seed: 5,
            model: "m.safetensors"
        )
    }

    /// As the editor exports it: the words against, the size and the steps are the author's.
    private static let exported: JSONValue = [
        "1": ["class_type": "CheckpointLoaderSimple", "inputs": ["ckpt_name": "own.safetensors"]],
        "2": ["class_type": "CLIPTextEncode", "inputs": ["text": "a cat", "clip": ["1", 1]]],
        "3": ["class_type": "CLIPTextEncode", "inputs": ["text": "blurry", "clip": ["1", 1]]],
        "4": ["class_type": "ControlNetApply", "inputs": ["conditioning": ["2", 0], "strength": 1]],
        "5": ["class_type": "EmptyLatentImage", "inputs": ["width": 512, "height": 512, "batch_size": 1]],
        "6": [
            "class_type": "KSampler",
            "inputs": [
                "seed": 1, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal",
                "denoise": 1,
                "model": ["1", 0], "positive": ["4", 0], "negative": ["3", 0], "latent_image": ["5", 0],
            ],
        ],
        // A second pass over the first.
        "7": [
            "class_type": "KSampler",
            "inputs": [
                "seed": 1, "steps": 10, "cfg": 8, "denoise": 0.5, "model": ["1", 0], "positive": ["4", 0],
                "negative": ["3", 0], "latent_image": ["6", 0],
            ],
        ],
    ]

    @Test("has its places filled with numbers as numbers, and within a text as text")
    func places() throws {
        var workflow = try Workflow([
            "1": [
                "class_type": "X",
                "inputs": [
                    "text": "photo of {{ prompt }}, seed {{seed}}", "seed": "{{seed}}", "cfg": "{{cfg}}",
                    "list": ["{{width}}", 7], "link": ["1", 0],
                ],
            ]
        ])
        try workflow.fill(values(["width": 640, "cfg": 4.5]).dropping("height"))
        #expect(
            workflow.nodes["1"]?["inputs"] == [
                "text": "photo of A \"fox\", seed 5", "seed": 5, "cfg": 4.5, "list": [640, 7],
                "link": ["1", 0],
            ]
        )
    }

    @Test("without places takes the values where its samplers lead, and keeps what is not asked for")
    func nodes() throws {
        var workflow = try Workflow(Self.exported)
        try workflow.fill(values(["steps": 30]))
        #expect(workflow.input("2", "text") == "A \"fox\"")
        #expect(workflow.input("3", "text") == "blurry")
        #expect(workflow.input("6", "seed") == 5)
        #expect(workflow.input("7", "seed") == 5)
        #expect(workflow.input("6", "steps") == 30)
        #expect(workflow.input("7", "steps") == 10)
        #expect(workflow.input("5", "width") == 512)
        #expect(workflow.input("1", "ckpt_name") == "own.safetensors")

        var other = try Workflow(Self.exported)
        try other.fill(
            values(["negative_prompt": "people", "width": 640, "height": 448, "count": 3, "model": "m"])
        )
        #expect(other.input("3", "text") == "people")
        #expect(other.input("5", "width") == 640)
        #expect(other.input("5", "height") == 448)
        #expect(other.input("5", "batch_size") == 3)
        #expect(other.input("1", "ckpt_name") == "m.safetensors")
    }

    @Test("that cannot take what is asked for says which, and what to do")
    func noPlace() async throws {
        let unmarked: JSONValue = ["1": ["class_type": "X", "inputs": ["text": "{{prompt}}"]]]
        let steps = try await Attempt.failure {
            var workflow = try Workflow(unmarked)
            try workflow.fill(values(["steps": 3]))
        }
        #expect(steps.message == "The workflow has no place for 'steps'.")
        #expect(steps.fix?.contains("{{steps}}") == true)
        let unknown = try await Attempt.failure {
            var workflow = try Workflow(["1": ["class_type": "X", "inputs": ["text": "{{promt}}"]]])
            try workflow.fill(values())
        }
        #expect(unknown.message.contains("{{promt}}"))
        let sampler = try await Attempt.failure {
            var workflow = try Workflow(["1": ["class_type": "X", "inputs": [:]]])
            try workflow.fill(values())
        }
        #expect(sampler.message.contains("KSampler"))
        for failure in [steps, unknown, sampler] { #expect(failure.code == "bad_workflow") }
    }

    @Test(
        "that is none is refused with the way to a right one",
        arguments: [
            #"{"nodes":[],"links":[]}"#, "{}", "[]", #"{"1":{"inputs":{}}}"#, #"{"1":{"class_type":"X"}}"#,
        ]
    )
    func wrongForm(text: String) async throws {
        let failure = try await Attempt.failure { _ = try Workflow(JSONValue(parsing: text)) }
        #expect(failure.code == "bad_workflow")
        #expect(failure.fix == "Save it with 'Export (API)' in ComfyUI's menu.")
    }
}

extension WorkflowValues {
    /// For workflows without a place for it.
    fileprivate func dropping(_ name: String) -> WorkflowValues {
        var copy = self
        copy.asked.removeAll { $0 == name }
        return copy
    }
}

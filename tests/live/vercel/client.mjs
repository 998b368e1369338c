// Asks a running service by the AI SDK, and writes what it makes of the answer as JSON.
// node client.mjs SCENARIO BASE_URL
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [scenario, baseURL] = process.argv.slice(2);
const service = createOpenAICompatible({
  name: "llmsite",
  baseURL,
  apiKey: "none",
  supportsStructuredOutputs: true,
  includeUsage: true,
});
const model = service("fake");
const quiet = { maxRetries: 0, onError: () => {} };
const weather = {
  description: "The weather of a city.",
  inputSchema: z.object({ city: z.enum(["Rome", "Oslo"]) }),
};

async function parts(stream) {
  const seen = [];
  for await (const part of stream) seen.push(part);
  return seen;
}

const scenarios = {
  async text() {
    const result = streamText({ ...quiet, model, prompt: "a b c" });
    const pieces = await parts(result.textStream);
    return { pieces, reason: await result.finishReason, usage: await result.usage };
  },

  async thoughts() {
    const result = streamText({ ...quiet, model, prompt: "<think> hm </think> a" });
    await parts(result.fullStream);
    return { thought: await result.reasoningText, text: await result.text };
  },

  async tools() {
    const result = streamText({
      ...quiet,
      model,
      prompt: "a",
      tools: { weather: tool(weather) },
      toolChoice: { type: "tool", toolName: "weather" },
      maxOutputTokens: 300,
    });
    const seen = await parts(result.fullStream);
    const calls = (await result.toolCalls).map(({ toolName, input }) => ({ toolName, input }));
    return { kinds: seen.map((part) => part.type), calls, reason: await result.finishReason };
  },

  async loop() {
    const result = await generateText({
      ...quiet,
      model,
      prompt: "a",
      tools: { weather: tool({ ...weather, execute: async () => "rain" }) },
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber ? "none" : "required" }),
      stopWhen: stepCountIs(2),
      maxOutputTokens: 300,
    });
    return { text: result.text, steps: result.steps.length };
  },

  async object() {
    const schema = z.object({ name: z.string(), tags: z.array(z.enum(["x", "y"])) });
    const { object } = await generateObject({ ...quiet, model, schema, prompt: "a" });
    return { object };
  },

  async error() {
    try {
      await generateText({ ...quiet, model: service("nobody"), prompt: "a" });
    } catch (error) {
      return { name: error.name, status: error.statusCode, message: error.message };
    }
  },

  async failure() {
    const result = streamText({ ...quiet, model, prompt: "a fail" });
    const seen = await parts(result.fullStream);
    return { kinds: seen.map((part) => part.type) };
  },

  async abort() {
    const leaving = new AbortController();
    const result = streamText({
      ...quiet,
      model,
      prompt: "a ".repeat(2000),
      maxOutputTokens: 2000,
      abortSignal: leaving.signal,
    });
    const kinds = [];
    for await (const part of result.fullStream) {
      kinds.push(part.type);
      if (part.type === "text-delta") leaving.abort();
    }
    return { kinds };
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));

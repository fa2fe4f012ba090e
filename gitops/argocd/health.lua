-- Health of a ConnectionGroup. Its status follows kstatus: status.observedGeneration is -1 until the operator has looked at it, and the conditions
-- Reconciling and Stalled are there only while true, never both. Argo CD does not ask this script about an object that is being deleted.
local function condition(type)
  if obj.status ~= nil and obj.status.conditions ~= nil then
    for _, condition in ipairs(obj.status.conditions) do
      if condition.type == type then
        return condition
      end
    end
  end
  return { status = "Unknown", message = "Waiting for the operator." }
end

local ready = condition("Ready")
local stalled = condition("Stalled")
local drifted = condition("Drifted")

-- Before all else: a suspended object does not catch up with its generation.
if obj.spec ~= nil and obj.spec.suspend == true then
  return { status = "Suspended", message = ready.message }
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator to see this version of the spec." }
end
if stalled.status == "True" then
  return { status = "Degraded", message = stalled.message }
end
if ready.status == "True" then
  -- Only in mode Observe, where a difference is reported and not put right.
  if drifted.status == "True" then
    return { status = "Healthy", message = drifted.message }
  end
  return { status = "Healthy", message = ready.message }
end
return { status = "Progressing", message = ready.message }

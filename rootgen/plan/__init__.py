"""(vocabulary of plan: written with the room)"""
